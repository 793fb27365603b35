"""Runs nodes in one process, with ROS's own arguments; ends cleanly on SIGINT and SIGTERM."""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import rclpy
from rclpy.exceptions import InvalidParameterException, ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import try_shutdown

from robot_vision.core.errors import RobotVisionError
from robot_vision.ros.executor import CameraFirstExecutor
from robot_vision.ros.perception_node import PerceptionNode
from robot_vision.ros.profile import use_shared_memory_profile


def run(ros_args: Sequence[str] = ()) -> int:
    """Serve until a signal, or until the node cannot start; returns the exit status.

    `ros_args` are those of every ROS 2 node: `--ros-args --params-file F -p name:=value -r …`.
    """
    use_shared_memory_profile()
    logging.basicConfig(level=logging.WARNING)
    rclpy.init(args=[sys.argv[0], *ros_args])
    executor = CameraFirstExecutor()
    try:
        node = PerceptionNode()
    except (RobotVisionError, InvalidParameterException, ParameterException) as error:
        print(f"error: {error}", file=sys.stderr)
        try_shutdown()
        return 2
    executor.add_node(node)
    # A signal shuts the context down, and that ends the loop; SIGINT also raises.
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()
    node.destroy_node()
    executor.shutdown(timeout_sec=0)
    try_shutdown()
    if node.busy:
        # A model that is still loading or running cannot be interrupted, and need not be awaited:
        # the node is gone, and with it its shared memory.
        os._exit(2 if node.problem else 0)
    return 2 if node.problem else 0


def main() -> None:
    """Entry point of `ros2 run robot_vision perception_node`."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
