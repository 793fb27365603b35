"""Perceptions from the topics of a perception node in another process, for the policy.

Messages of one frame come on several topics and in any order; they are matched by stamp.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String

from robot_vision.core.cameras.camera_info import Calibration, calibration_of
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.types import Perception
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.messages.live import class_of
from robot_vision.ros.messages.objects_text import read_grounded, read_objects
from robot_vision.ros.middleware.any_qos import where_latched
from robot_vision.ros.middleware.bounded import (
    CAMERA_INFO_BYTES,
    OBJECTS_BYTES,
    bounded,
    checked_frame_id,
)
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.ros.middleware.silence import ListenedTopic
from robot_vision.ros.policy.inputs.perceptions import DEPTH_ROLES, PerceptionReader
from robot_vision.topics.policy_table import PERCEPTION_INPUTS, PolicyTopic

# Frames that wait for the rest of their messages.
_KEPT_FRAMES = 8
_MOST_BYTES = {String: OBJECTS_BYTES, CameraInfo: CAMERA_INFO_BYTES}
# A frame needs these; and depth, where the perception node has some.
_NEEDED = ("objects", "features", "embedding", "colour")

OnPerception = Callable[[Perception, Mapping[str, float]], None]


class PerceptionTopics:
    """Subscribes from construction to `close`; calls `on_perception` with each complete frame.

    `with_grounded` also takes objects that the prompt names. No frame waits for them: a frame gets
    those of its own stamp, or the newest earlier ones.
    """

    def __init__(
        self,
        node: Node,
        *,
        perception: str,
        reader: PerceptionReader,
        on_perception: OnPerception,
        health: Health,
        with_grounded: bool = False,
    ) -> None:
        self._node = node
        self._reader = reader
        self._on_perception = on_perception
        self._health = health
        self._calibration: Calibration | None = None
        self._waiting: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self.topics: list[ListenedTopic] = []
        self._thread = OwnThread("perceptions", node=node)
        self._subscriptions: list[Any] = []
        for topic in PERCEPTION_INPUTS:
            if topic.role == "grounded" and not with_grounded:
                continue
            name = topic.name.replace("<perception>", perception)
            self._subscribe(topic, name, self._callback(topic.role))
        self._latched_info = where_latched(
            node,
            CameraInfo,
            "camera_info",
            self._bounded("camera_info", CameraInfo, self._on_camera_info),
            group=MutuallyExclusiveCallbackGroup(),
        )
        self._thread.start(self._subscriptions)

    def _callback(self, role: str) -> Callable[[Any], None]:
        others: dict[str, Callable[[Any], None]] = {
            "objects": self._on_objects,
            "grounded": self._on_grounded,
            "camera_info": self._on_camera_info,
        }
        return others.get(role) or self._keeper(role)

    def _subscribe(self, topic: PolicyTopic, name: str, callback: Callable[[Any], None]) -> None:
        kind, qos = class_of(topic.type_name), profile_of(topic.quality)
        raw = kind in _MOST_BYTES
        if raw:
            callback = self._bounded(topic.role, kind, callback)
        subscription = self._node.create_subscription(
            kind, name, callback, qos, callback_group=self._thread, raw=raw
        )
        self._subscriptions.append(subscription)
        self.topics.append(
            ListenedTopic(
                role=topic.role,
                name=self._node.resolve_topic_name(name),
                type_name=topic.type_name,
                qos=qos,
            )
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
            self._reader.keep_grounded(read_grounded(message.data))
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
            self._hand_over(parts)
        while len(self._waiting) > _KEPT_FRAMES:
            _, parts = self._waiting.popitem(last=False)
            self._health.dropped("frame incomplete", f"{', '.join(_missing(parts))} did not come")

    def _hand_over(self, parts: dict[str, Any]) -> None:
        try:
            perception = self._reader.read(parts, self._calibration)
        except (ValueError, EncodingError) as error:
            self._health.dropped("perception unusable", str(error))
        else:
            self._on_perception(perception, {})


def _missing(parts: Mapping[str, Any]) -> list[str]:
    """The parts of a frame that have not come yet."""
    missing = [role for role in _NEEDED if role not in parts]
    if not missing and parts["objects"]["depth_source"] is not None:
        missing = [role for role in DEPTH_ROLES if role not in parts]
    return missing
