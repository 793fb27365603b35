"""Perceptions from the messages of one frame. Topics carry neither detections nor masks."""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32
from rclpy.node import Node
from sensor_msgs.msg import Image

from robot_vision.core.cameras.camera_info import Calibration
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import ServiceConfig
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
from robot_vision.ros.messages.convert import rgb_from_message
from robot_vision.ros.messages.objects_text import Place, tracks_of
from robot_vision.sync.views import Views

DEPTH_ROLES = ("metric depth", "depth confidence")
_KEPT_GROUNDED = 8

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
        self._health = health
        self._grounded: deque[dict[str, Any]] = deque(maxlen=_KEPT_GROUNDED)
        self._views = Views(
            ServiceConfig(),
            rgb_topic=node.resolve_topic_name("rgb"),
            depth_topic="",
            report=health.noted,
        )

    def keep_grounded(self, result: dict[str, Any]) -> None:
        """Take the content of `~/grounded/json`, for the frames from its stamp on."""
        self._grounded.append(result)

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
            tracks=self._tracks(result, frame_id, self._class_names),
            class_names=self._class_names,
            model_id=result["model"],
            stage_s={},
            grounding=self._grounding(stamp_ns, frame_id),
            notes=(*result["notes"], "from topics: no detections, no masks"),
        )

    def _grounding(self, stamp_ns: int, camera_frame: str) -> Grounding | None:
        """The latest objects that the prompt named, up to this stamp."""
        kept = [result for result in self._grounded if result["stamp_ns"] <= stamp_ns]
        if not kept:
            return None
        result = max(kept, key=lambda each: each["stamp_ns"])
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
        return tracks_of(result, class_names, Place(camera_frame, self._base_frame, pose))


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
