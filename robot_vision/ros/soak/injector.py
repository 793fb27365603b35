"""Sits between the simulated robot and the service, and forwards what a fault lets through.

Messages are forwarded as received bytes, unless a fault changes them.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from threading import Thread
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, JointState

from robot_vision.core.clock import seconds_between
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.soak.checks.command_checks import Vector
from robot_vision.soak.fault import Change, Topic

SIM = "/sim"
# As offered by the simulated robot.
_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_KINDS: dict[Topic, Any] = {
    "joint_states": JointState,
    "tool_pose": PoseStamped,
    "camera_info": CameraInfo,
    "depth": Image,
    "rgb": Image,
}
_TRUTH_KEPT = 500
_TRUTH_S = 0.1
_REST_M = 0.002


def remappings() -> list[str]:
    """ROS arguments that make the simulated robot publish to the injector."""
    return [part for topic in _KINDS for part in ("-r", f"{topic}:={SIM}/{topic}")]


@dataclass(frozen=True, kw_only=True, eq=False)
class _True:
    stamp_ns: int
    position_m: Vector


class Injector:
    """Runs in a thread of its own from construction to `close`.

    `on_frame` is called with the time when a colour image is published.
    `first_changed_ns` is when a fault first changed a message, since `forget`; `problems` are
    changes that failed.
    """

    def __init__(self) -> None:
        self.on_frame: Callable[[int], None] | None = None
        self._changes: dict[Topic, Change] = {}
        self._second: tuple[Any, float] | None = None
        self._truth: deque[_True] = deque(maxlen=_TRUTH_KEPT)
        self.first_changed_ns: int | None = None
        self.problems: deque[str] = deque(maxlen=20)
        self._context = Context()
        self._context.init()
        self.node: Node = rclpy.create_node("robot_sim_driver", context=self._context)
        self._publishers = {
            topic: self.node.create_publisher(kind, topic, _QOS) for topic, kind in _KINDS.items()
        }
        for topic, kind in _KINDS.items():
            self.node.create_subscription(
                kind, f"{SIM}/{topic}", self._callback(topic), _QOS, raw=True
            )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = Thread(target=self._spin, name="injector", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._context.try_shutdown()
        self._thread.join()
        self.node.destroy_node()

    def now_ns(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def true_tool(self, stamp_ns: int) -> Vector | None:
        """The tool's position at about that time; None if unknown."""
        known = list(self._truth)
        if not known:
            return None
        nearest = min(known, key=lambda true: abs(true.stamp_ns - stamp_ns))
        apart_s = abs(seconds_between(nearest.stamp_ns, stamp_ns))
        return nearest.position_m if apart_s <= _TRUTH_S else None

    def rests(self, *, since_ns: int, for_s: float) -> bool:
        """Whether the true tool has stood still for so long, all of it after `since_ns`."""
        known = [true for true in list(self._truth) if true.stamp_ns > since_ns]
        if not known or seconds_between(known[0].stamp_ns, known[-1].stamp_ns) < for_s:
            return False
        newest_ns = known[-1].stamp_ns
        late = [t.position_m for t in known if seconds_between(t.stamp_ns, newest_ns) <= for_s]
        return bool(np.ptp(np.array(late), axis=0).max() < _REST_M)

    def forget(self) -> None:
        """Forget earlier changes: the next one is the first."""
        self.first_changed_ns = None

    @contextmanager
    def changed(self, topic: Topic, change: Change) -> Iterator[None]:
        """Publish what `change` makes of each message of a topic."""
        self._changes[topic] = change
        try:
            yield
        finally:
            del self._changes[topic]

    @contextmanager
    def second_tool_pose(self, offset_m: float) -> Iterator[None]:
        """Publish a wrong tool pose from a node of another name."""
        node = rclpy.create_node("stranger", context=self._context)
        self._second = node.create_publisher(PoseStamped, "tool_pose", _QOS), offset_m
        try:
            yield
        finally:
            self._second = None
            node.destroy_node()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _callback(self, topic: Topic) -> Callable[[bytes], None]:
        def pass_on(raw: bytes) -> None:
            change = self._changes.get(topic)
            if topic == "tool_pose":
                self._note_truth(raw)
            if change is None:
                self._publish(topic, raw)
            else:
                self._change(topic, change, raw)

        return pass_on

    def _publish(self, topic: Topic, message: Any) -> None:
        if topic == "rgb" and self.on_frame is not None:
            self.on_frame(self.now_ns())
        self._publishers[topic].publish(message)

    def _change(self, topic: Topic, change: Change, raw: bytes) -> None:
        if self.first_changed_ns is None:
            self.first_changed_ns = self.now_ns()
        try:
            for message in change(deserialize_message(raw, _KINDS[topic])):
                self._publish(topic, message)
        except Exception as error:  # a fault that fails must not end the others
            self.problems.append(f"{topic}: {type(error).__name__}: {error}")

    def _note_truth(self, raw: bytes) -> None:
        message = deserialize_message(raw, PoseStamped)
        at = message.pose.position
        place = np.array([at.x, at.y, at.z])
        self._truth.append(_True(stamp_ns=ns_from_stamp(message.header.stamp), position_m=place))
        second = self._second
        if second is not None:
            publisher, offset_m = second
            wrong = deepcopy(message)
            wrong.pose.position.y += offset_m
            if self.first_changed_ns is None:
                self.first_changed_ns = self.now_ns()
            # It is destroyed when the fault ends.
            with suppress(Exception):
                publisher.publish(wrong)
