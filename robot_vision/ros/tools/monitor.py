"""Subscribes to a perception node, as any other program would: for demo, bench and tests."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from jaxtyping import UInt8
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from robot_vision.core.clock import NS_PER_S
from robot_vision.ros.messages.convert import ns_from_stamp, rgb_from_message

_QOS = QoSProfile(depth=10)
_OTHER_OUTPUTS: dict[str, Any] = {
    "features": Image,
    "embedding": Image,
    "depth/image": Image,
    "depth/camera_info": CameraInfo,
    "objects/markers": MarkerArray,
}


@dataclass
class Heard:
    """What was received so far. `results` are the objects of each frame with its ages."""

    results: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, DiagnosticStatus] = field(default_factory=dict)
    received_age_s: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Monitor:
    """A ROS node that subscribes to the outputs of the node `perception`."""

    def __init__(
        self,
        *,
        perception: str = "/perception",
        all_outputs: bool = False,
        uses_simulated_time: bool = False,
        on_overlay: Callable[[int, UInt8[np.ndarray, "h w 3"]], None] | None = None,
    ) -> None:
        self.heard = Heard()
        self._context = Context()
        self._context.init()
        clock = Parameter("use_sim_time", value=uses_simulated_time)
        self.node = rclpy.create_node(
            "robot_vision_monitor", context=self._context, parameter_overrides=[clock]
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.node.create_subscription(String, f"{perception}/objects/json", self._on_objects, _QOS)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        for topic, kind in _OTHER_OUTPUTS.items() if all_outputs else ():
            # Serialized: only the subscription matters here.
            self.node.create_subscription(
                kind, f"{perception}/{topic}", self._counter(topic), _QOS, raw=True
            )
        if on_overlay is not None:

            def take(message: Image) -> None:
                on_overlay(ns_from_stamp(message.header.stamp), rgb_from_message(message))

            self.node.create_subscription(Image, f"{perception}/overlay", take, _QOS)

    def spin(self, seconds: float) -> None:
        """Receive messages for the next `seconds`."""
        until_s = monotonic() + seconds
        while (left_s := until_s - monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left_s)

    def spin_until(self, condition: Callable[[], bool], *, timeout_s: float) -> bool:
        """Receive messages until `condition` holds; returns whether it did within the time."""
        until_s = monotonic() + timeout_s
        while not condition():
            if monotonic() > until_s:
                return False
            self.spin(0.02)
        return True

    def close(self) -> None:
        self.node.destroy_node()
        self._context.try_shutdown()

    def _on_objects(self, message: String) -> None:
        result = json.loads(message.data)
        now_ns = self.node.get_clock().now().nanoseconds
        self.heard.results.append(result)
        self.heard.received_age_s.append((now_ns - result["stamp_ns"]) / NS_PER_S)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.heard.status[status.name] = status

    def _counter(self, topic: str) -> Callable[[bytes], None]:
        def count(_: bytes) -> None:
            self.heard.counts[topic] += 1

        return count


def stages_of(result: dict[str, Any]) -> dict[str, float]:
    """Milliseconds of each stage of one result, including `publish` and the total `age`."""
    stages = dict(result["stage_ms"])
    stages["publish"] = max(result["age_ms"] - sum(stages.values()), 0.0)
    stages["age"] = result["age_ms"]
    return stages
