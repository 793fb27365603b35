"""The node's output topics: each message is made only if somebody subscribed to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from robot_vision.core.objects import Objects, json_of
from robot_vision.core.types import Perception
from robot_vision.ros.messages.convert import ImageWriter, InfoWriter
from robot_vision.ros.messages.markers import MarkerWriter
from robot_vision.ros.messages.vision import detections_message, objects_message, vision_msgs
from robot_vision.ros.middleware.qos import OUTPUT_QOS
from robot_vision.viz.overlay import draw_overlay


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What is published of a frame. `age_s()` is the age of its stamp now."""

    perception: Perception
    objects: Objects
    stage_s: Mapping[str, float]
    age_s: Callable[[], float]


class Outputs:
    """Publishers of `~/…`, active between the node's activation and deactivation."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._writers = {name: ImageWriter() for name in ("features", "embedding", "depth", "rgb")}
        self._info, self._markers = InfoWriter(), MarkerWriter()
        self._vision_msgs = vision_msgs()
        self._topics: list[tuple[Any, Callable[[Result], Any | None]]] = []
        self._add(Image, "~/features", self._features)
        self._add(Image, "~/embedding", self._embedding)
        self._add(Image, "~/depth/image", self._depth)
        self._add(CameraInfo, "~/depth/camera_info", self._depth_info)
        if self._vision_msgs is not None:
            self._add(self._vision_msgs.Detection2DArray, "~/detections", self._detections)
            self._add(self._vision_msgs.Detection3DArray, "~/objects", self._objects)
        self._add(MarkerArray, "~/objects/markers", self._markers_of)
        self._add(Image, "~/overlay", self._overlay)
        # Last, so that the age it tells has the others' publishing in it.
        self._add(String, "~/objects/json", _json)

    def publish(self, result: Result) -> None:
        for publisher, make in self._topics:
            if publisher.get_subscription_count():
                message = make(result)
                if message is not None:
                    publisher.publish(message)

    def close(self) -> None:
        for publisher, _ in self._topics:
            self._node.destroy_lifecycle_publisher(publisher)
        self._topics.clear()

    def _add(self, message_type: Any, topic: str, make: Callable[[Result], Any | None]) -> None:
        publisher = self._node.create_lifecycle_publisher(message_type, topic, OUTPUT_QOS)
        self._topics.append((publisher, make))

    def _image(self, writer: str, result: Result, pixels: np.ndarray, encoding: str) -> Image:
        return self._writers[writer].write(
            pixels,
            encoding=encoding,
            stamp_ns=result.perception.stamp_ns,
            frame_id=result.perception.frame.frame_id,
        )

    def _features(self, result: Result) -> Image | None:
        features = result.perception.features
        if features is None:
            return None
        grid = features.grid.transpose(1, 2, 0)
        return self._image("features", result, grid, f"32FC{grid.shape[2]}")

    def _embedding(self, result: Result) -> Image | None:
        features = result.perception.features
        if features is None:
            return None
        embedding = features.embedding.reshape(1, 1, -1)
        return self._image("embedding", result, embedding, f"32FC{embedding.shape[2]}")

    def _depth(self, result: Result) -> Image | None:
        depth = result.perception.depth
        return None if depth is None else self._image("depth", result, depth.depth_m, "32FC1")

    def _depth_info(self, result: Result) -> CameraInfo | None:
        perception = result.perception
        if perception.depth is None or perception.frame.camera is None:
            return None
        height_px, width_px = perception.depth.depth_m.shape
        return self._info.write(
            perception.frame.camera,
            stamp_ns=perception.stamp_ns,
            width_px=width_px,
            height_px=height_px,
        )

    def _markers_of(self, result: Result) -> MarkerArray:
        return self._markers.write(result.objects)

    def _overlay(self, result: Result) -> Image:
        overlay = draw_overlay(result.perception, age_s=result.age_s())
        return self._image("rgb", result, overlay, "rgb8")

    def _detections(self, result: Result) -> Any:
        return detections_message(self._vision_msgs, result.perception)

    def _objects(self, result: Result) -> Any:
        return objects_message(self._vision_msgs, result.objects)


def _json(result: Result) -> String:
    return String(
        data=json_of(
            result.objects, result.perception, age_s=result.age_s(), stage_s=result.stage_s
        )
    )
