"""`examples/controller/`: a controller that refuses expired commands, and `ros2` by hand."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.clock import NS_PER_S
from robot_vision.ros.messages.convert import header, ns_from_stamp, stamp_from_ns
from robot_vision.ros.middleware.qos import LATCHED_QOS

pytestmark = pytest.mark.ros

EXAMPLES = Path(__file__).parents[2] / "examples/controller"
WAIT_S = 60.0
NOW_NS = 1_700_000_000 * NS_PER_S


class Graph:
    """A node that spins while it waits for a script."""

    def __init__(self, context: Context) -> None:
        self.node = rclpy.create_node("graph", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)

    def wait_for(
        self, condition: Callable[[], Any], *, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        until_s = monotonic() + WAIT_S
        while not condition():
            assert monotonic() < until_s
            meanwhile()
            self._executor.spin_once(timeout_sec=0.02)


@pytest.fixture
def graph() -> Iterator[Graph]:
    context = Context()
    rclpy.init(context=context)
    made = Graph(context)
    yield made
    made.node.destroy_node()
    context.try_shutdown()


@contextmanager
def example(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    ) as script:
        try:
            yield script
        finally:
            script.kill()


def by_hand(graph: Graph, *arguments: str) -> tuple[int, str, str]:
    with example("by_hand.py", *arguments) as script:
        graph.wait_for(lambda: script.poll() is not None)
        out, errors = script.communicate()
        return script.returncode, out, errors


def test_only_commands_that_have_not_expired_reach_the_arm(graph: Graph) -> None:
    reached_ns: list[int] = []

    def reach(pose: PoseStamped) -> None:
        reached_ns.append(ns_from_stamp(pose.header.stamp))

    graph.node.create_subscription(PoseStamped, "arm/pose", reach, 10)
    publisher = graph.node.create_publisher(PoseStamped, "policy/command/pose", 10)
    clock = graph.node.create_publisher(Clock, "/clock", 10)
    sent_ns: list[int] = []

    def command(age_s: float) -> None:
        """Simulated time stands still, so that a busy machine makes no command older."""
        clock.publish(Clock(clock=stamp_from_ns(NOW_NS)))
        sent_ns.append(NOW_NS + len(sent_ns) - round(age_s * NS_PER_S))
        publisher.publish(PoseStamped(header=header(sent_ns[-1], "base")))

    with example("follow.py", "--ros-args", "-p", "use_sim_time:=true") as script:
        graph.wait_for(lambda: reached_ns, meanwhile=lambda: command(0.0))
        fresh = set(sent_ns)
        for _ in range(20):
            command(0.5)
            command(-0.5)
        expired = set(sent_ns) - fresh
        later = len(sent_ns)
        graph.wait_for(
            lambda: set(sent_ns[later:]) & set(reached_ns), meanwhile=lambda: command(0.0)
        )
        assert not expired & set(reached_ns)
        assert script.poll() is None


def test_a_latched_message_is_shown(graph: Graph) -> None:
    graph.node.create_publisher(String, "/policy/action_spec", LATCHED_QOS).publish(
        String(data='{"frame_id": "base"}')
    )
    status, out, errors = by_hand(graph, "echo", "/policy/action_spec", "--once")
    assert (status, out) == (0, '{"frame_id": "base"}\n'), errors
    status, out, _ = by_hand(graph, "list")
    assert status == 0
    assert "/policy/action_spec  [std_msgs/msg/String]  graph" in out


def test_services_are_called(graph: Graph) -> None:
    def enable(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = not request.data, f"asked for {request.data}"
        return response

    def reset(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, "another table"
        return response

    graph.node.create_service(SetBool, "/policy/enable", enable)
    graph.node.create_service(Trigger, "/robot_sim/reset", reset)
    assert by_hand(graph, "call", "/policy/enable", "true")[:2] == (1, "asked for True\n")
    assert by_hand(graph, "call", "/policy/enable", "false")[:2] == (0, "asked for False\n")
    assert by_hand(graph, "call", "/robot_sim/reset")[:2] == (0, "another table\n")


def test_a_parameter_is_set_or_its_refusal_shown(graph: Graph) -> None:
    graph.node.declare_parameter("score", 0.5)

    def check(changed: list[Parameter]) -> SetParametersResult:
        value = changed[0].value
        fits = isinstance(value, float) and value <= 1.0
        return SetParametersResult(successful=fits, reason="at most 1, please")

    graph.node.add_on_set_parameters_callback(check)
    assert by_hand(graph, "set", "/graph", "score", "0.75")[:2] == (0, "score is 0.75\n")
    assert graph.node.get_parameter("score").value == 0.75
    status, _, errors = by_hand(graph, "set", "/graph", "score", "7.5")
    assert status == 1
    assert "refused: at most 1, please" in errors
    assert graph.node.get_parameter("score").value == 0.75
