"""Reads `~/trace` of a running perception node, as any other program would."""

import os
from time import monotonic

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.results.frame_trace import FrameTrace, read_frame_trace
from robot_vision.ros.middleware.bounded import STATE_BYTES, bounded

_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


def read_traces(node: str, *, frames: int, timeout_s: float) -> list[FrameTrace]:
    """The next `frames` of the node of that name.

    Raises `ConfigError` if none comes within `timeout_s`; returns fewer than `frames` if no more
    come within that time.
    """
    traces: list[FrameTrace] = []
    refused: list[str] = []

    def take(message: String) -> None:
        try:
            traces.append(read_frame_trace(message.data))
        except ForeignFileError as error:
            refused.append(str(error))

    context = Context()
    context.init()
    try:
        reader = rclpy.create_node(f"robot_vision_profile_{os.getpid()}", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(reader)
        callback = bounded(String, take, most_bytes=STATE_BYTES, refuse=refused.append)
        subscription = reader.create_subscription(
            String, f"{node}/trace", callback, _QOS, raw=True
        )
        heard, last_s = 0, monotonic()
        while len(traces) < frames and monotonic() - last_s < timeout_s:
            executor.spin_once(timeout_sec=0.1)
            if len(traces) > heard:
                heard, last_s = len(traces), monotonic()
        reader.destroy_subscription(subscription)
        reader.destroy_node()
    finally:
        context.try_shutdown()
    if not traces:
        why = f"; refused: {refused[-1]}" if refused else ""
        raise ConfigError(
            f"no frame on {node}/trace within {timeout_s:g} s: is the node active, does its "
            f"camera publish, and is ROS_DOMAIN_ID the same here? --node names another{why}"
        )
    return traces
