"""The node's output topics: each message is made only if somebody subscribed to it."""

from typing import Any

from rclpy.lifecycle import LifecycleNode

from robot_vision.core.points_config import PointsConfig
from robot_vision.ros.messages.live import LiveMessages, class_of
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.topics.table import TOPICS, Makers, OutputTopic, Result


class Outputs:
    """Publishers of `~/…`, active between the node's activation and deactivation.

    Topics whose message package is not installed (`vision_msgs`) are left out.
    """

    def __init__(self, node: LifecycleNode, *, points: PointsConfig) -> None:
        self._node = node
        self._makers = Makers(LiveMessages(), points=points)
        self._topics: list[tuple[Any, OutputTopic]] = []
        for topic in TOPICS:
            message_class = class_of(topic.type_name) if topic.live else None
            if message_class is not None:
                publisher = node.create_lifecycle_publisher(
                    message_class, f"~/{topic.name}", profile_of(topic.quality)
                )
                self._topics.append((publisher, topic))

    def publish(self, result: Result) -> None:
        for publisher, topic in self._topics:
            if publisher.get_subscription_count():
                message = topic.make(self._makers, result)
                if message is not None:
                    publisher.publish(message)

    def close(self) -> None:
        for publisher, _ in self._topics:
            self._node.destroy_lifecycle_publisher(publisher)
        self._topics.clear()
