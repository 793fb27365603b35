"""Contexts are shut down while nodes work: from Kilted on that destroys them, under a lock."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest
from policy_rig import policy_node
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException

from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.common.service_node import ServiceNode
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.simulation.node import RobotSim

pytestmark = pytest.mark.ros

WAIT_S = 30.0
BOTH = """
import sys
from robot_vision.ros.common.run import run
from robot_vision.ros.run import perception_and_policy
sys.exit(run(sys.argv[1:], perception_and_policy))
"""


def test_a_wrong_policy_beside_an_active_perception_ends_the_process(native_bundle: Path) -> None:
    arguments = ["-p", f"perception:model:={native_bundle}", "-p", "policy:policy:=nothing"]
    command = [sys.executable, "-c", BOTH, "--ros-args", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 2, ended.stderr
    assert "no model bundle 'nothing'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_console_without_a_port_ends_the_process_with_the_reason(native_bundle: Path) -> None:
    pytest.importorskip("fastapi")
    script = """
import sys
from robot_vision.ros.common.run import run
from robot_vision.ros.console.run import with_console
from robot_vision.ros.run import perception
sys.exit(run(sys.argv[1:], with_console(perception)))
"""
    arguments = ["-p", f"perception:model:={native_bundle}", "-p", "console:host:=192.0.2.1"]
    command = [sys.executable, "-c", script, "--ros-args", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert ended.returncode == 2, ended.stderr
    assert "192.0.2.1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("kind", ["perception", "policy", "robot_sim"])
def test_a_context_is_shut_down_over_a_node_that_works(kind: str, native_bundle: Path) -> None:
    """As a program does that has the node in its own process: `with rclpy.init(): …`."""
    context = Context()
    context.init()
    node = {
        "perception": lambda: PerceptionNode(
            context=context, cli_args=["--ros-args", "-p", f"model:={native_bundle}"]
        ),
        "policy": lambda: policy_node(context),
        "robot_sim": lambda: RobotSim(context=context),
    }[kind]()
    executor = CameraFirstExecutor(context=context)
    executor.add_node(node)
    spinning = Thread(target=_spin, args=(executor,), daemon=True)
    spinning.start()
    deadline_s = monotonic() + WAIT_S
    while isinstance(node, ServiceNode) and node.state != "active" and monotonic() < deadline_s:
        sleep(0.05)
    assert not node.problem
    ending = Thread(target=context.try_shutdown, daemon=True)
    ending.start()
    ending.join(10.0)
    assert not ending.is_alive(), "the shutdown waits for ever"
    spinning.join(10.0)
    assert not spinning.is_alive()
    node.destroy_node()
    executor.shutdown(timeout_sec=0)


def _spin(executor: CameraFirstExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()
