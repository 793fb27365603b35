"""Perceptions from the topics of a perception node in another process, for the policy.

Messages of one frame come on several topics and in any order: they meet by their stamp. What
topics do not tell stays empty: detections with their masks and lifted rows.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from robot_vision.core.camera_info import Calibration, calibration_of
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.geometry import invert_transform, transform_points
from robot_vision.core.types import (
    Depth,
    Features,
    Frame,
    Perception,
    Tracks,
    TrackState,
    no_detections,
)
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp, rgb_from_message
from robot_vision.ros.messages.objects_text import read_objects
from robot_vision.ros.middleware.any_qos import where_latched
from robot_vision.ros.middleware.bounded import (
    CAMERA_INFO_BYTES,
    OBJECTS_BYTES,
    bounded,
    checked_frame_id,
)
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.silence import ListenedTopic
from robot_vision.sync.views import Views

# Frames that wait for the rest of their messages.
_KEPT_FRAMES = 8
_NAMED = 5
_MOST_BYTES = {String: OBJECTS_BYTES, CameraInfo: CAMERA_INFO_BYTES}
_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
# What of a frame there must be. Depth is waited for where the perception node has some.
_NEEDED = ("objects", "features", "embedding", "colour")
_OF_DEPTH = ("metric depth", "depth confidence")

PoseOf = Callable[[str, int], np.ndarray | None]
Told = Callable[[Perception, Mapping[str, float]], None]


class PerceptionTopics:
    """Subscribes from construction to `close`; tells `on_perception` of each complete frame.

    `base_from_camera(frame_id, stamp_ns)` takes positions back to the camera where the
    perception node gives them in `base_frame`. `class_names` say which class has which number.
    """

    def __init__(
        self,
        node: Node,
        *,
        perception: str,
        class_names: tuple[str, ...],
        base_frame: str,
        base_from_camera: PoseOf,
        on_perception: Told,
        health: Health,
    ) -> None:
        self._node = node
        self._class_names = class_names
        self._base_frame = base_frame
        self._base_from_camera = base_from_camera
        self._on_perception = on_perception
        self._health = health
        self._calibration: Calibration | None = None
        self._views = Views(
            ServiceConfig(),
            rgb_topic=node.resolve_topic_name("rgb"),
            depth_topic="",
            report=health.noted,
        )
        self._waiting: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self.topics: list[ListenedTopic] = []
        self._thread = OwnThread("perceptions", node=node)
        self._subscriptions: list[Any] = []
        listen: list[tuple[str, str, Any, Callable[[Any], None]]] = [
            ("objects", f"{perception}/objects/json", String, self._on_objects),
            ("features", f"{perception}/features", Image, self._keeper("features")),
            ("embedding", f"{perception}/embedding", Image, self._keeper("embedding")),
            ("metric depth", f"{perception}/depth/image", Image, self._keeper("metric depth")),
            (
                "depth confidence",
                f"{perception}/depth/confidence",
                Image,
                self._keeper("depth confidence"),
            ),
            ("colour", "rgb", Image, self._keeper("colour")),
            ("camera_info", "camera_info", CameraInfo, self._on_camera_info),
        ]
        for role, topic, kind, callback in listen:
            self._subscriptions.append(self._subscribe(role, topic, kind, callback))
            type_name = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
            name = node.resolve_topic_name(topic)
            self.topics.append(ListenedTopic(role=role, name=name, type_name=type_name, qos=_QOS))
        self._latched_info = where_latched(
            node,
            CameraInfo,
            "camera_info",
            self._bounded("camera_info", CameraInfo, self._on_camera_info),
            group=MutuallyExclusiveCallbackGroup(),
        )
        self._thread.start(self._subscriptions)

    def _subscribe(self, role: str, topic: str, kind: Any, callback: Callable[[Any], None]) -> Any:
        raw = kind in _MOST_BYTES
        if raw:
            callback = self._bounded(role, kind, callback)
        return self._node.create_subscription(
            kind, topic, callback, _QOS, callback_group=self._thread, raw=raw
        )

    def _bounded(
        self, role: str, kind: Any, callback: Callable[[Any], None]
    ) -> Callable[[bytes], None]:
        refuse = partial(self._health.dropped, f"{role} refused")
        return bounded(kind, callback, most_bytes=_MOST_BYTES[kind], refuse=refuse)

    def close(self) -> None:
        self._thread.stop()
        self._latched_info.close()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._health.arrived("camera_info")
        try:
            self._calibration = calibration_of(message)
        except ConfigError as error:
            self._calibration = None
            self._health.noted("intrinsics invalid", f"camera_info has {error}")

    def _on_objects(self, message: String) -> None:
        self._health.arrived("objects")
        try:
            result = read_objects(message.data)
        except ValueError as error:
            self._health.dropped("perception unusable", str(error))
        else:
            self._add(result["stamp_ns"], "objects", result)

    def _keeper(self, role: str) -> Callable[[Image], None]:
        def keep(message: Image) -> None:
            self._health.arrived(role)
            try:
                checked_frame_id(message.header.frame_id)
            except ValueError as error:
                self._health.dropped("perception unusable", f"{role}: {error}")
                return
            self._add(ns_from_stamp(message.header.stamp), role, message)

        return keep

    def _add(self, stamp_ns: int, role: str, message: Any) -> None:
        parts = self._waiting.setdefault(stamp_ns, {})
        parts[role] = message
        if not _missing(parts):
            del self._waiting[stamp_ns]
            self._tell(parts)
        while len(self._waiting) > _KEPT_FRAMES:
            _, parts = self._waiting.popitem(last=False)
            self._health.dropped("frame incomplete", f"{', '.join(_missing(parts))} did not come")

    def _tell(self, parts: dict[str, Any]) -> None:
        try:
            perception = self._perception(parts)
        except (ValueError, EncodingError) as error:
            self._health.dropped("perception unusable", str(error))
        else:
            self._on_perception(perception, {})

    def _perception(self, parts: dict[str, Any]) -> Perception:
        result, stamp_ns = parts["objects"], parts["objects"]["stamp_ns"]
        rgb = rgb_from_message(parts["colour"])
        frame_id = parts["colour"].header.frame_id
        grid = _floats(parts["features"])
        if (seen_in := parts["features"].header.frame_id) != frame_id:
            raise ValueError(
                f"perception sees in {seen_in!r}, and colour is in {frame_id!r}: images that "
                "camera.rotate turns need the policy in one process with perception "
                "(robot-vision run --policy)"
            )
        view = self._views.color_view(
            frame_id, size_px=(rgb.shape[1], rgb.shape[0]), calibration=self._calibration
        )
        return Perception(
            stamp_ns=stamp_ns,
            frame=Frame(stamp_ns=stamp_ns, frame_id=frame_id, rgb=rgb, camera=view.camera),
            detections=no_detections(stamp_ns),
            depth=_depth(parts, result["depth_source"]),
            features=Features(
                stamp_ns=stamp_ns,
                grid=grid.transpose(2, 0, 1),
                stride_px=rgb.shape[1] / grid.shape[1],
                embedding=_floats(parts["embedding"]).reshape(-1),
                model_id=result["model"],
            ),
            lifted=None,
            tracks=self._tracks(result, frame_id),
            class_names=self._class_names,
            model_id=result["model"],
            stage_s={},
            notes=(*result["notes"], "from topics: no detections, no masks"),
        )

    def _tracks(self, result: dict[str, Any], camera_frame: str) -> Tracks:
        rows = result["objects"]
        unknown = {row["class"] for row in rows} - set(self._class_names)
        if unknown:
            some = sorted(unknown)[:_NAMED]
            raise ValueError(f"classes {some} ({len(unknown)}) are not of {result['model']}")
        position, velocity, covariance, velocity_covariance = self._in_camera(
            result, camera_frame, rows
        )
        return Tracks(
            stamp_ns=result["stamp_ns"],
            track_id=np.array([row["id"] for row in rows], np.int64),
            state=np.array([TrackState[row["state"].upper()] for row in rows], np.int64),
            box_xyxy_px=_column(rows, "box_xyxy_px", 4),
            score=np.array([row["score"] for row in rows], np.float32),
            class_id=np.array([self._class_names.index(r["class"]) for r in rows], np.int64),
            position_in_camera_m=position,
            position_covariance_m2=covariance,
            velocity_in_camera_mps=velocity,
            velocity_covariance_m2ps2=velocity_covariance,
            size_m=_column(rows, "size_m", 3),
            age_s=np.array([row["age_s"] for row in rows], np.float32),
            unseen_s=np.array([row["unseen_s"] for row in rows], np.float32),
            detection_index=np.full(len(rows), -1, np.int64),
            epoch=result["epoch"],
        )

    def _in_camera(
        self, result: dict[str, Any], camera_frame: str, rows: list[dict[str, Any]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Positions, velocities and their covariances along the camera's axes."""
        position = _column(rows, "position_m", 3)
        velocity = _column(rows, "velocity_mps", 3)
        covariance = _column(rows, "position_covariance_m2", 3, 3)
        velocity_covariance = _column(rows, "velocity_covariance_m2ps2", 3, 3)
        if result["frame_id"] == camera_frame:
            return position, velocity, covariance, velocity_covariance
        base_from_camera = self._base_from_camera(camera_frame, result["stamp_ns"])
        if result["frame_id"] != self._base_frame or base_from_camera is None:
            raise ValueError(
                f"objects are in frame {result['frame_id']!r}; expected the camera's "
                f"({camera_frame!r}), or {self._base_frame!r} with a known camera pose"
            )
        turn = base_from_camera[:3, :3]
        return (
            transform_points(invert_transform(base_from_camera), position).astype(np.float32),
            (velocity @ turn).astype(np.float32),
            (turn.T @ covariance @ turn).astype(np.float32),
            (turn.T @ velocity_covariance @ turn).astype(np.float32),
        )


def _missing(parts: Mapping[str, Any]) -> list[str]:
    """What of a frame is still to come."""
    missing = [role for role in _NEEDED if role not in parts]
    if not missing and parts["objects"]["depth_source"] is not None:
        missing = [role for role in _OF_DEPTH if role not in parts]
    return missing


def _column(rows: list[dict[str, Any]], key: str, *shape: int) -> np.ndarray:
    """A field of all rows, NaN where it is null."""
    unknown = np.full(shape, np.nan, np.float32)
    values = [unknown if row[key] is None else np.array(row[key], np.float32) for row in rows]
    return np.array(values, np.float32).reshape(len(rows), *shape)


def _depth(parts: dict[str, Any], source: Any) -> Depth | None:
    if source is None:
        return None
    depth_m, confidence = (_floats(parts[role])[..., 0] for role in _OF_DEPTH)
    if confidence.shape != depth_m.shape:
        raise ValueError(f"depth confidence is {confidence.shape}; expected {depth_m.shape}")
    return Depth(
        stamp_ns=parts["objects"]["stamp_ns"],
        depth_m=depth_m,
        confidence=confidence,
        source=source,
        valid_fraction=float(np.isfinite(depth_m).mean()),
    )


def _floats(message: Image) -> Float32[np.ndarray, "h w c"]:
    """An image of 32-bit floats. Raises `EncodingError`."""
    name, _, channels = message.encoding.partition("32FC")
    if name or not channels.isdigit() or message.is_bigendian:
        raise EncodingError(f"encoding {message.encoding!r}; expected 32FC<channels>")
    shape = (message.height, message.width, int(channels))
    return np.frombuffer(message.data, np.float32).reshape(shape)
