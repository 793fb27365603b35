"""`~/trace`: where each frame spent its time (core/frame_trace), while somebody listens.

It cannot be in the table of topics: it is known only when all of these are published.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from robot_vision.core.frame_trace import frame_trace
from robot_vision.core.timing import Span
from robot_vision.ros.perception.inputs import Capture

_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


class Traces:
    """The publisher of `~/trace`, active while the node is."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._publisher: Any = node.create_lifecycle_publisher(String, "~/trace", _QOS)

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
