"""Perceptions from the messages of one frame. Topics carry neither detections nor masks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32
from rclpy.node import Node
from sensor_msgs.msg import Image

from robot_vision.core.camera_info import Calibration
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import EncodingError
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
from robot_vision.ros.messages.convert import rgb_from_message
from robot_vision.sync.views import Views

DEPTH_ROLES = ("metric depth", "depth confidence")
_NAMED = 5

PoseOf = Callable[[str, int], np.ndarray | None]


class PerceptionReader:
    """Joins the messages of one frame, by role, into a `Perception`.

    `base_from_camera(frame_id, stamp_ns)` takes positions back to the camera where the
    perception node gives them in `base_frame`. `class_names` maps classes to their numbers.
    """

    def __init__(
        self,
        node: Node,
        *,
        class_names: tuple[str, ...],
        base_frame: str,
        base_from_camera: PoseOf,
        health: Health,
    ) -> None:
        self._class_names = class_names
        self._base_frame = base_frame
        self._base_from_camera = base_from_camera
        self._views = Views(
            ServiceConfig(),
            rgb_topic=node.resolve_topic_name("rgb"),
            depth_topic="",
            report=health.noted,
        )

    def read(self, parts: dict[str, Any], calibration: Calibration | None) -> Perception:
        """The perception; raises `ValueError` or `EncodingError` for parts that do not fit."""
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
            frame_id, size_px=(rgb.shape[1], rgb.shape[0]), calibration=calibration
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


def _column(rows: list[dict[str, Any]], key: str, *shape: int) -> np.ndarray:
    """A field of all rows, NaN where it is null."""
    unknown = np.full(shape, np.nan, np.float32)
    values = [unknown if row[key] is None else np.array(row[key], np.float32) for row in rows]
    return np.array(values, np.float32).reshape(len(rows), *shape)


def _depth(parts: dict[str, Any], source: Any) -> Depth | None:
    if source is None:
        return None
    depth_m, confidence = (_floats(parts[role])[..., 0] for role in DEPTH_ROLES)
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
