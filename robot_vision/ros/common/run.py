"""Runs nodes in one process, with ROS's own arguments; ends cleanly on SIGINT and SIGTERM."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

import rclpy
from rclpy.exceptions import InvalidParameterException, ParameterException
from rclpy.executors import ConditionReachedException, ExternalShutdownException
from rclpy.node import Node
from rclpy.utilities import get_default_context, try_shutdown

from robot_vision.core.errors import RobotVisionError
from robot_vision.memory import keep_large_blocks_apart
from robot_vision.ros.common.arguments import command_line_last
from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.common.service_node import ServiceNode
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
from robot_vision.ros.middleware.rclpy_internals import end_context
from robot_vision.ros.middleware.shared_memory import clean_shared_memory

EXPECTED = (
    "expected ROS's own arguments: -p name:=value, --params-file FILE, -r from:=to, "
    "--log-level LEVEL"
)


@runtime_checkable
class ServedNode(Protocol):
    """What `run` needs of a node, besides being an rclpy node.

    `problem` is why it is not in the state that it should be in; `busy` whether it is doing work
    that cannot be interrupted; `ended` whether the process must end with it.
    """

    @property
    def problem(self) -> str: ...

    @property
    def busy(self) -> bool: ...

    @property
    def ended(self) -> bool: ...

    def destroy_node(self) -> None: ...


def run(ros_args: Sequence[str], make_nodes: Callable[[], Sequence[ServedNode]]) -> int:
    """Serve until a signal, or until a node cannot start; returns the exit status.

    `ros_args` are those of every ROS 2 node, with or without `--ros-args` before them (rcl would
    silently ignore them without it): `--params-file F -p name:=value -r …`.
    They are for all nodes of the process; `-p policy:threads:=1` is for the node `policy` alone.
    A `-p` overrides every parameter file. Any other argument is an error.
    """
    keep_large_blocks_apart()
    use_shared_memory_profile()
    clean_shared_memory(log=lambda text: print(text, file=sys.stderr))
    logging.basicConfig(level=logging.WARNING)
    given = [argument for argument in ros_args if argument != "--ros-args"]
    try:
        with command_line_last(["--ros-args", *given]) as args:
            rclpy.init(args=[sys.argv[0], *args])
    except RuntimeError as error:  # rcl's own for what it does not know
        print(f"error: {error}; {EXPECTED}", file=sys.stderr)
        return 2
    try:
        nodes = make_nodes()
    except (RobotVisionError, InvalidParameterException, ParameterException) as error:
        print(f"error: {error}", file=sys.stderr)
        end_context(get_default_context())
        return 2
    executor = CameraFirstExecutor(until=lambda: any(node.ended for node in nodes))
    for node in nodes:
        assert isinstance(node, Node)
        executor.add_node(node)
    # A signal shuts the context down, and that ends the loop; SIGINT also raises.
    with suppress(KeyboardInterrupt, ExternalShutdownException, ConditionReachedException):
        executor.spin()
    # Listeners are destroyed before their sources, and all nodes before their context.
    for node in reversed(nodes):
        node.destroy_node()
    executor.shutdown(timeout_sec=0)
    try_shutdown()
    status = 2 if any(_failed(node) for node in nodes) else 0
    if any(node.busy for node in nodes):
        # A model that is loading or running cannot be interrupted, and need not be waited for:
        # the node is gone, and so is its shared memory.
        os._exit(status)
    return status


def _failed(node: ServedNode) -> bool:
    return bool(node.problem) and not (isinstance(node, ServiceNode) and not node.required)
