"""Every topic that the node `perception` publishes or a replay writes: the only list of them.

A topic is added with a maker and a line in `TOPICS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np

from robot_vision.core.objects import Objects, json_of, keypoints_json_of
from robot_vision.core.points_config import PointsConfig
from robot_vision.core.types import Perception
from robot_vision.topics.camera_info import InfoWriter
from robot_vision.topics.detections import new_detections, new_keypoints, new_objects
from robot_vision.topics.markers import MarkerWriter
from robot_vision.topics.messages import Messages, new_header
from robot_vision.topics.points import CloudWriter
from robot_vision.topics.quality import RESULTS, Quality
from robot_vision.viz.overlay import draw_overlay

JPEG_QUALITY = 85

InFile: TypeAlias = Literal["never", "always", "depth", "overlay", "points"]
"""Whether a replay writes a topic: never, always, or with what is asked for by that name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What is published of a frame. `age_s()` is the age of its stamp now."""

    perception: Perception
    objects: Objects
    stage_s: Mapping[str, float]
    age_s: Callable[[], float]


class Makers:
    """What makers fill: messages of one library, some of them again for every frame."""

    def __init__(self, messages: Messages, *, points: PointsConfig | None = None) -> None:
        self.messages = messages
        self.clouds = CloudWriter(messages, points or PointsConfig())
        self.markers = MarkerWriter(messages)
        self.info = InfoWriter(messages)

    def image(self, name: str, result: Result, pixels: np.ndarray, encoding: str) -> Any:
        return self.messages.image(
            name,
            pixels,
            encoding=encoding,
            stamp_ns=result.perception.stamp_ns,
            frame_id=result.perception.frame.frame_id,
        )


@dataclass(frozen=True, kw_only=True)
class OutputTopic:
    """A topic below the node's name. `make` returns None where a frame has nothing for it.

    `golden` says whether golden files compare what it carries, as figures and within tolerances.
    """

    name: str
    type_name: str
    make: Callable[[Makers, Result], Any | None]
    golden: bool
    live: bool = True
    in_file: InFile = "never"
    quality: Quality = RESULTS


def _features(makers: Makers, result: Result) -> Any | None:
    features = result.perception.features
    if features is None:
        return None
    grid = features.grid.transpose(1, 2, 0)
    return makers.image("features", result, grid, f"32FC{grid.shape[2]}")


def _embedding(makers: Makers, result: Result) -> Any | None:
    features = result.perception.features
    if features is None:
        return None
    embedding = features.embedding.reshape(1, 1, -1)
    return makers.image("embedding", result, embedding, f"32FC{embedding.shape[2]}")


def _depth(makers: Makers, result: Result) -> Any | None:
    depth = result.perception.depth
    return None if depth is None else makers.image("depth", result, depth.depth_m, "32FC1")


def _depth_confidence(makers: Makers, result: Result) -> Any | None:
    depth = result.perception.depth
    if depth is None:
        return None
    return makers.image("depth/confidence", result, depth.confidence, "32FC1")


def _depth_info(makers: Makers, result: Result) -> Any | None:
    perception = result.perception
    if perception.depth is None or perception.frame.camera is None:
        return None
    height_px, width_px = perception.depth.depth_m.shape
    return makers.info.write(
        perception.frame.camera,
        stamp_ns=perception.stamp_ns,
        width_px=width_px,
        height_px=height_px,
    )


def _robot_mask(makers: Makers, result: Result) -> Any | None:
    mask = result.perception.robot_mask
    if mask is None:
        return None
    return makers.image("robot_mask", result, mask.astype(np.uint8) * 255, "mono8")


def _points(makers: Makers, result: Result) -> Any | None:
    return makers.clouds.scene(result.perception)


def _object_points(makers: Makers, result: Result) -> Any | None:
    return makers.clouds.objects(result.perception)


def _detections(makers: Makers, result: Result) -> Any:
    return new_detections(makers.messages, result.perception)


def _keypoints(makers: Makers, result: Result) -> Any | None:
    return new_keypoints(makers.messages, result.perception)


def _keypoints_json(makers: Makers, result: Result) -> Any | None:
    if result.perception.detections.keypoint is None:
        return None
    message = makers.messages.new("std_msgs/msg/String")
    message.data = keypoints_json_of(result.perception)
    return message


def _objects(makers: Makers, result: Result) -> Any:
    return new_objects(makers.messages, result.objects)


def _markers(makers: Makers, result: Result) -> Any:
    return makers.markers.write(result.objects)


def _overlay(makers: Makers, result: Result) -> Any:
    overlay = draw_overlay(result.perception, age_s=result.age_s())
    return makers.image("rgb", result, overlay, "rgb8")


def _overlay_jpeg(makers: Makers, result: Result) -> Any:
    # Without the age: in a file it would say how fast the machine was that replayed.
    bgr = cv2.cvtColor(draw_overlay(result.perception), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    message = makers.messages.new("sensor_msgs/msg/CompressedImage")
    perception = result.perception
    message.header = new_header(makers.messages, perception.stamp_ns, perception.frame.frame_id)
    message.format, message.data = "jpeg", jpeg.reshape(-1)
    return message


def _json(makers: Makers, result: Result) -> Any:
    message = makers.messages.new("std_msgs/msg/String")
    message.data = json_of(
        result.objects, result.perception, age_s=result.age_s(), stage_s=result.stage_s
    )
    return message


TOPICS = (
    OutputTopic(name="features", type_name="sensor_msgs/msg/Image", make=_features, golden=False),
    OutputTopic(
        name="embedding", type_name="sensor_msgs/msg/Image", make=_embedding, golden=False
    ),
    OutputTopic(
        name="depth/image",
        type_name="sensor_msgs/msg/Image",
        make=_depth,
        golden=True,
        in_file="depth",
    ),
    OutputTopic(
        name="depth/confidence",
        type_name="sensor_msgs/msg/Image",
        make=_depth_confidence,
        golden=False,
        in_file="depth",
    ),
    OutputTopic(
        name="depth/camera_info",
        type_name="sensor_msgs/msg/CameraInfo",
        make=_depth_info,
        golden=True,
        in_file="depth",
    ),
    OutputTopic(
        name="robot_mask",
        type_name="sensor_msgs/msg/Image",
        make=_robot_mask,
        golden=False,
        in_file="depth",
    ),
    OutputTopic(
        name="points",
        type_name="sensor_msgs/msg/PointCloud2",
        make=_points,
        golden=False,
        in_file="points",
    ),
    OutputTopic(
        name="detections",
        type_name="vision_msgs/msg/Detection2DArray",
        make=_detections,
        golden=True,
        in_file="always",
    ),
    OutputTopic(
        name="keypoints",
        type_name="vision_msgs/msg/Detection2DArray",
        make=_keypoints,
        golden=True,
        in_file="always",
    ),
    OutputTopic(
        name="keypoints/json",
        type_name="std_msgs/msg/String",
        make=_keypoints_json,
        golden=True,
        in_file="always",
    ),
    OutputTopic(
        name="objects",
        type_name="vision_msgs/msg/Detection3DArray",
        make=_objects,
        golden=True,
        in_file="always",
    ),
    OutputTopic(
        name="objects/markers",
        type_name="visualization_msgs/msg/MarkerArray",
        make=_markers,
        golden=False,
        in_file="always",
    ),
    OutputTopic(
        name="objects/points",
        type_name="sensor_msgs/msg/PointCloud2",
        make=_object_points,
        golden=False,
        in_file="points",
    ),
    OutputTopic(name="overlay", type_name="sensor_msgs/msg/Image", make=_overlay, golden=False),
    OutputTopic(
        name="overlay/compressed",
        type_name="sensor_msgs/msg/CompressedImage",
        make=_overlay_jpeg,
        golden=False,
        live=False,
        in_file="overlay",
    ),
    # Last, so that the age it reports includes the publishing of the others.
    OutputTopic(
        name="objects/json",
        type_name="std_msgs/msg/String",
        make=_json,
        golden=True,
        in_file="always",
    ),
)
