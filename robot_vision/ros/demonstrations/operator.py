"""Begins and ends episodes of a running recorder, from the command line."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

import rclpy
from rclpy.node import Node
from rclpy.utilities import try_shutdown
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.errors import ConfigError
from robot_vision.demonstrations.status import RECORDER_STATUS
from robot_vision.ros.middleware.qos import LATCHED_QOS

Order = Literal["begin", "success", "failure", "discard"]

_SERVICES = {"begin": "begin", "success": "end", "failure": "end", "discard": "discard"}
_MEET_S = 5.0
_ANSWER_S = 90.0


def give(order: Order, *, instruction: str = "", recorder: str = "/demonstrations") -> str:
    """Make the recorder begin, end or discard; returns its answer.

    `instruction` is published before an episode begins. Raises `ConfigError` with the recorder's
    reason if it refuses, or if there is none.
    """
    rclpy.init()
    node = rclpy.create_node("robot_vision_operator")
    try:
        if instruction:
            _instruct(node, instruction, recorder)
        kind = SetBool if _SERVICES[order] == "end" else Trigger
        client = node.create_client(kind, f"{recorder}/{_SERVICES[order]}")
        if not client.wait_for_service(timeout_sec=_MEET_S):
            raise ConfigError(_absent(recorder))
        request = kind.Request()
        if isinstance(request, SetBool.Request):
            request.data = order == "success"
        future = client.call_async(request)
        _spin_until(node, future.done, _ANSWER_S, f"{recorder} does not answer")
        answer: Any = future.result()
        if not answer.success:
            raise ConfigError(answer.message)
        return answer.message
    finally:
        node.destroy_node()
        try_shutdown()


def _instruct(node: Node, words: str, recorder: str) -> None:
    """Publish an instruction until the recorder has it."""
    heard: list[str] = []

    def listen(message: String) -> None:
        status, _ = RECORDER_STATUS.read(message.data)
        heard.append(status.instruction)

    node.create_subscription(String, f"{recorder}/status/json", listen, LATCHED_QOS)
    namespace = recorder.rpartition("/")[0]
    publisher = node.create_publisher(String, f"{namespace}/instruction", LATCHED_QOS)
    publisher.publish(String(data=words))
    _spin_until(node, lambda: bool(heard), _MEET_S, _absent(recorder))
    _spin_until(
        node,
        lambda: heard[-1:] == [words],
        _MEET_S,
        f"the recorder {recorder} did not take the instruction; is its topic another one?",
    )


def _absent(recorder: str) -> str:
    return f"no recorder answers at {recorder}; start `robot-vision demonstrations record`"


def _spin_until(node: Node, condition: Callable[[], bool], limit_s: float, problem: str) -> None:
    end_s = monotonic() + limit_s
    while not condition():
        if monotonic() > end_s:
            raise ConfigError(problem)
        rclpy.spin_once(node, timeout_sec=0.1)
