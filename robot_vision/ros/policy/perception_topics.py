"""Perceptions from the topics of a perception node in another process, for the policy.

Messages of one frame come on several topics and in any order: they meet by their stamp. What
topics do not tell stays empty: detections with their masks and lifted rows.
"""

from collections import OrderedDict, deque
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
from robot_vision.core.types import (
    Depth,
    Features,
    Frame,
    Grounded,
    Grounding,
    Perception,
    Phrase,
    Prompt,
    Tracks,
    no_detections,
)
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp, rgb_from_message
from robot_vision.ros.messages.objects_text import Place, read_grounded, read_objects, tracks_of
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
    `with_grounded`: what words name is heard too, and nothing waits for it: a frame has that of
    its own stamp, or the newest before.
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
        with_grounded: bool = False,
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
        self._grounded: deque[dict[str, Any]] = deque(maxlen=_KEPT_FRAMES)
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
        if with_grounded:
            listen.append(("grounded", f"{perception}/grounded/json", String, self._on_grounded))
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

    def _on_grounded(self, message: String) -> None:
        self._health.arrived("grounded")
        try:
            self._grounded.append(read_grounded(message.data))
        except ValueError as error:
            self._health.dropped("grounded unusable", str(error))

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
            tracks=self._tracks(result, frame_id, self._class_names),
            class_names=self._class_names,
            model_id=result["model"],
            stage_s={},
            grounding=self._grounding(stamp_ns, frame_id),
            notes=(*result["notes"], "from topics: no detections, no masks"),
        )

    def _grounding(self, stamp_ns: int, camera_frame: str) -> Grounding | None:
        """What words named last, up to this stamp."""
        found = [result for result in self._grounded if result["stamp_ns"] <= stamp_ns]
        if not found:
            return None
        result = max(found, key=lambda each: each["stamp_ns"])
        phrases = tuple(
            Phrase(text=p["phrase"], unknown_words=tuple(p["unknown_words"]), problem=p["problem"])
            for p in result["phrases"]
        )
        prompt = Prompt(text=result["prompt"], phrases=phrases)
        try:
            tracks = self._tracks(result, camera_frame, prompt.sought)
        except ValueError as error:
            self._health.dropped("grounded unusable", str(error))
            return None
        detections = no_detections(result["stamp_ns"])
        found = Grounded(prompt=prompt, detections=detections, model_id=result["model"])
        return Grounding(found=found, lifted=None, tracks=tracks)

    def _tracks(
        self, result: dict[str, Any], camera_frame: str, class_names: tuple[str, ...]
    ) -> Tracks:
        pose = None
        if result["frame_id"] != camera_frame:
            pose = self._base_from_camera(camera_frame, result["stamp_ns"])
        place = Place(camera_frame, self._base_frame, pose)
        return tracks_of(result, class_names, place)


def _missing(parts: Mapping[str, Any]) -> list[str]:
    """What of a frame is still to come."""
    missing = [role for role in _NEEDED if role not in parts]
    if not missing and parts["objects"]["depth_source"] is not None:
        missing = [role for role in _OF_DEPTH if role not in parts]
    return missing


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
