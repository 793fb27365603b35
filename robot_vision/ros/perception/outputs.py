"""The node's output topics; messages are made for subscribers only."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.results.frame_trace import frame_trace
from robot_vision.core.timing import Span, span
from robot_vision.ros.messages.live import LiveMessages, class_of
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.ros.perception.inputs.topics import Capture
from robot_vision.topics.table import TOPICS
from robot_vision.topics.topic import Makers, OutputTopic, Result

_TRACE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


class Outputs:
    """Publishers of `~/…`, active between the node's activation and deactivation.

    Topics whose message package (`vision_msgs`) is not installed are left out and logged once.
    Latched topics are also published without subscribers: see `OutputTopic.said_for`.
    """

    def __init__(self, node: LifecycleNode, *, points: PointsConfig) -> None:
        self._node = node
        self._makers = Makers(LiveMessages(), points=points)
        self._topics: list[tuple[Any, OutputTopic]] = []
        self._said: dict[str, Hashable] = {}
        missing: list[OutputTopic] = []
        for topic in TOPICS:
            message_class = class_of(topic.type_name) if topic.live else None
            if message_class is not None:
                publisher = node.create_lifecycle_publisher(
                    message_class, f"~/{topic.name}", profile_of(topic.quality)
                )
                self._topics.append((publisher, topic))
            elif topic.live:
                missing.append(topic)
        _say_missing(node, missing)

    def publish(self, result: Result) -> None:
        for publisher, topic in self._topics:
            if publisher.get_subscription_count() or self._is_new(topic, result):
                with span(topic.name):
                    message = topic.make(self._makers, result)
                    if message is not None:
                        publisher.publish(message)

    def _is_new(self, topic: OutputTopic, result: Result) -> bool:
        """Whether later subscribers would get outdated content."""
        if topic.said_for is None:
            return False
        before, now = self._said.get(topic.name), topic.said_for(result)
        if now is not None:
            self._said[topic.name] = now
        return now is not None and now != before

    def close(self) -> None:
        for publisher, _ in self._topics:
            self._node.destroy_lifecycle_publisher(publisher)
        self._topics.clear()


def _say_missing(node: LifecycleNode, missing: list[OutputTopic]) -> None:
    for package in dict.fromkeys(topic.type_name.split("/")[0] for topic in missing):
        names = [f"~/{t.name}" for t in missing if t.type_name.startswith(f"{package}/")]
        node.get_logger().info(
            f"{package} is not installed: {', '.join(names)} are not published; topics that end "
            f"in /json have the same (apt install ros-$ROS_DISTRO-{package.replace('_', '-')})"
        )


class Traces:
    """`~/trace`: where each frame spent its time (core/results/frame_trace), for subscribers only.

    It is not in the table of topics: it is known only after all of these are published.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publisher: Any = node.create_lifecycle_publisher(String, "~/trace", _TRACE_QOS)

    @property
    def wanted(self) -> bool:
        return self._publisher.get_subscription_count() > 0

    def publish(
        self, capture: Capture, stage_s: Mapping[str, float], spans: Sequence[Span]
    ) -> None:
        trace = frame_trace(
            stamp_ns=capture.stamp_ns, stage_s=stage_s, spans=spans, arrived_s=capture.arrived_s
        )
        self._publisher.publish(String(data=trace.as_json()))

    def close(self) -> None:
        self._node.destroy_lifecycle_publisher(self._publisher)
