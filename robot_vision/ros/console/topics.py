"""A perception node's topics for a console in another process; heavy ones only while viewed."""

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String

from robot_vision.console.class_schema import PixelLabels
from robot_vision.console.object_schema import ObjectsView
from robot_vision.console.schema import Topic
from robot_vision.console.state.admission import (
    UnusableError,
    admit_grounded,
    admit_objects,
    text_of,
)
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.console_config import ConsoleNodeConfig
from robot_vision.core.types import Depth, Features, Frame
from robot_vision.ros.console.classes import (
    classification_from,
    labels_from,
    segmentation_from,
)
from robot_vision.ros.console.images import depth_of, features_of
from robot_vision.ros.console.refusals import Refusals
from robot_vision.ros.messages.convert import ImageMessage, ns_from_stamp, rgb_from_message
from robot_vision.ros.middleware.bounded import OBJECTS_BYTES, bounded

_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_RESULTS_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
# Reloading a page must not cost a subscription.
_KEEP_S = 3.0


class ConsoleTopics:
    """Fills the snapshots. Call `follow_wishes` a few times per second."""

    def __init__(
        self,
        node: Node,
        snapshots: Snapshots,
        config: ConsoleNodeConfig,
        refusals: Refusals,
    ) -> None:
        self._node = node
        self._snapshots = snapshots
        self._refusals = refusals
        self._subscriptions: dict[str, Any] = {}
        self._labels: PixelLabels | None = None
        self._wanted_s: dict[Topic, float] = {}
        compressed = config.rgb_transport == "compressed"
        rgb = node.resolve_topic_name("rgb") + ("/compressed" if compressed else "")
        perception = config.perception
        self._heavy: dict[str, tuple[Topic, Any, Callable[[Any], None]]] = {
            rgb: ("frame", CompressedImage if compressed else Image, self._on_rgb),
            f"{perception}/depth/image": ("depth", Image, self._on_depth),
            f"{perception}/features": ("features", Image, self._on_features),
            f"{perception}/segmentation": ("segmentation", Image, self._on_segmentation),
            f"{perception}/segmentation/json": ("segmentation", String, self._on_labels),
            f"{perception}/grounded/json": ("grounded", String, self._on_grounded),
            f"{perception}/classification/json": (
                "classification",
                String,
                self._on_classification,
            ),
        }
        self._grounded = node.resolve_topic_name(f"{perception}/grounded/json")
        self._objects = node.resolve_topic_name(f"{perception}/objects/json")
        refuse = partial(refusals.add, self._objects)
        take = bounded(String, self._on_objects, most_bytes=OBJECTS_BYTES, refuse=refuse)
        self._results = node.create_subscription(
            String, self._objects, take, _RESULTS_QOS, raw=True
        )

    def follow_wishes(self) -> None:
        """Subscribe to topics that are viewed, and unsubscribe from the others."""
        now_s = monotonic()
        self._wanted_s |= dict.fromkeys(self._snapshots.wanted, now_s)
        for name, (topic, kind, callback) in self._heavy.items():
            wanted = now_s - self._wanted_s.get(topic, -np.inf) < _KEEP_S
            if wanted and name not in self._subscriptions:
                self._subscriptions[name] = self._subscribe(name, kind, callback)
            elif not wanted and name in self._subscriptions:
                self._node.destroy_subscription(self._subscriptions.pop(name))

    def _subscribe(self, name: str, kind: Any, callback: Callable[[Any], None]) -> Any:
        if kind is not String:
            return self._node.create_subscription(kind, name, callback, _QOS)
        refuse = partial(self._refusals.add, name)
        take = bounded(String, callback, most_bytes=OBJECTS_BYTES, refuse=refuse)
        return self._node.create_subscription(String, name, take, _QOS, raw=True)

    def _age_s(self, stamp_ns: int) -> float:
        return seconds_between(stamp_ns, self._node.get_clock().now().nanoseconds)

    def _on_rgb(self, message: ImageMessage) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        try:
            rgb = rgb_from_message(message)
        except EncodingError as error:
            self._refuse("frame", error)
            return
        frame_id = text_of(message.header.frame_id)
        frame = Frame(stamp_ns=stamp_ns, frame_id=frame_id, rgb=rgb)
        self._snapshots.saw_frame(frame, age_s=self._age_s(stamp_ns))

    def _on_depth(self, message: Image) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        try:
            depth_m = depth_of(message)
        except EncodingError as error:
            self._refuse("depth", error)
            return
        newest = self._snapshots.objects
        objects = newest.value if newest is not None else None
        depth = Depth(
            stamp_ns=stamp_ns,
            depth_m=depth_m,
            confidence=np.zeros_like(depth_m),  # not subscribed to: nothing here shows it
            source=(isinstance(objects, ObjectsView) and objects.depth_source) or "fused",
            valid_fraction=float(np.isfinite(depth_m).mean()),
        )
        self._snapshots.saw_depth(depth, age_s=self._age_s(stamp_ns))

    def _on_grounded(self, message: String) -> None:
        try:
            view, unusable = admit_grounded(message.data)
        except UnusableError as error:
            self._refuse("grounded", error)
            return
        self._refusals.add(self._grounded, "rows or fields with unusable values", unusable)
        self._snapshots.saw_grounded(view, age_s=self._age_s(view.stamp_ns))

    def _on_features(self, message: Image) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        try:
            grid = features_of(message)
        except EncodingError as error:
            self._refuse("features", error)
            return
        features = Features(
            stamp_ns=stamp_ns,
            grid=grid,
            stride_px=1.0,
            embedding=np.zeros(0, np.float32),
            model_id="",
        )
        self._snapshots.saw_features(features, age_s=self._age_s(stamp_ns))

    def _on_segmentation(self, message: Image) -> None:
        try:
            found = segmentation_from(message, self._labels)
        except EncodingError as error:
            self._refuse("segmentation", error)
            return
        self._snapshots.saw_segmentation(found, age_s=self._age_s(found.stamp_ns))

    def _on_labels(self, message: String) -> None:
        try:
            self._labels = labels_from(message.data)
        except UnusableError as error:
            self._refuse("segmentation", error)

    def _on_classification(self, message: String) -> None:
        try:
            view = classification_from(message.data)
        except UnusableError as error:
            self._refuse("classification", error)
            return
        self._snapshots.saw_classification(view, age_s=self._age_s(view.stamp_ns))

    def _on_objects(self, message: String) -> None:
        name = self._objects
        try:
            view, unusable = admit_objects(message.data)
        except UnusableError as error:
            self._refusals.add(name, str(error))
            return
        self._refusals.add(name, "rows or fields with unusable values", unusable)
        stage_s = {stage: ms / 1e3 for stage, ms in view.stage_ms.items()}
        stage_s["age"] = view.age_ms / 1e3
        frame = self._snapshots.frame
        if frame is not None:
            height_px, width_px = frame.value.rgb.shape[:2]
            view = view.model_copy(update={"height_px": height_px, "width_px": width_px})
        age_s = self._age_s(view.stamp_ns)
        self._snapshots.saw_objects(view, stage_s=stage_s, age_s=age_s)

    def _refuse(self, topic: Topic, error: Exception) -> None:
        name = next(name for name, heavy in self._heavy.items() if heavy[0] == topic)
        self._refusals.add(name, str(error))
