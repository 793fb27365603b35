"""`ros2 topic list`, `topic echo`, `service call` and `param set`, which PyPI does not have.

    python examples/controller/by_hand.py list
    python examples/controller/by_hand.py echo /policy/status/json --once
    python examples/controller/by_hand.py call /policy/enable true
    python examples/controller/by_hand.py set /perception detector.score_threshold 0.6

Services are those of std_srvs: `Trigger`, and `SetBool` with `true` or `false`.
"""

import argparse
import importlib
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import rclpy
import yaml
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile
from std_srvs.srv import SetBool, Trigger

MEET_S = 20.0
DISCOVERY_S = 3.0


def list_topics(node: Node) -> None:
    """Topics, their types and the nodes that publish them."""
    if not wait(node, lambda: set(node.get_node_names()) - {node.get_name()}, MEET_S):
        raise SystemExit("no other node is here; is ROS_DOMAIN_ID the same there?")
    wait(node, lambda: False, DISCOVERY_S)  # endpoints follow their nodes
    for name, kinds in sorted(node.get_topic_names_and_types()):
        publishers = sorted(p.node_name for p in node.get_publishers_info_by_topic(name))
        print(f"{name}  [{', '.join(kinds)}]  {', '.join(publishers) or '(no publisher)'}")


def echo(node: Node, topic: str, *, once: bool) -> None:
    """Print messages, and with `once` end after the first one."""
    publishers = wait(node, lambda: node.get_publishers_info_by_topic(topic), MEET_S)
    if not publishers:
        raise SystemExit(f"nobody publishes {topic}; is ROS_DOMAIN_ID the same here?")
    package, _, kind = publishers[0].topic_type.split("/")
    heard: list[Any] = []

    def show(message: Any) -> None:
        heard.append(message)
        print(message.data if kind == "String" else message, flush=True)

    offered = publishers[0].qos_profile
    # As it is offered, so that latched messages come too.
    wanted = QoSProfile(depth=10, reliability=offered.reliability, durability=offered.durability)
    message_type = getattr(importlib.import_module(f"{package}.msg"), kind)
    node.create_subscription(message_type, topic, show, wanted)
    while not (once and heard):
        rclpy.spin_once(node)


def call(node: Node, service: str, value: str | None) -> None:
    """Call a service of std_srvs: a Trigger, or a SetBool with a value; print its answer."""
    kind, request = Trigger, Trigger.Request()
    if value is not None:
        kind, request = SetBool, SetBool.Request(data=value == "true")
    client = node.create_client(kind, service)
    if not client.wait_for_service(timeout_sec=MEET_S):
        raise SystemExit(f"no {kind.__name__} service {service}; is ROS_DOMAIN_ID the same here?")
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future)
    answer: Any = future.result()
    print(answer.message)
    if not answer.success:
        raise SystemExit(1)


def set_parameter(node: Node, target: str, name: str, text: str) -> None:
    """Set a parameter of a running node; its reason, if it refuses."""
    client = AsyncParameterClient(node, target)
    if not wait(node, client.services_are_ready, MEET_S):
        raise SystemExit(f"no node {target}; is ROS_DOMAIN_ID the same here?")
    future = client.set_parameters([Parameter(name, value=yaml.safe_load(text))])
    rclpy.spin_until_future_complete(node, future)
    response = future.result()
    assert response is not None
    result = response.results[0]
    if not result.successful:
        raise SystemExit(f"refused: {result.reason}")
    print(f"{name} is {text}")


def wait(node: Node, condition: Callable[[], Any], seconds: float) -> Any:
    """What `condition` returns once it holds, or after `seconds`."""
    end_s = monotonic() + seconds
    while not (found := condition()) and monotonic() < end_s:
        rclpy.spin_once(node, timeout_sec=0.1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    one = commands.add_parser("echo")
    one.add_argument("topic")
    one.add_argument("--once", action="store_true")
    service = commands.add_parser("call")
    service.add_argument("service")
    service.add_argument("value", nargs="?", choices=("true", "false"))
    other = commands.add_parser("set")
    for argument in ("node", "name", "value"):
        other.add_argument(argument)
    given = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("by_hand")
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        if given.command == "list":
            list_topics(node)
        elif given.command == "echo":
            echo(node, given.topic, once=given.once)
        elif given.command == "call":
            call(node, given.service, given.value)
        else:
            set_parameter(node, given.node, given.name, given.value)


if __name__ == "__main__":
    main()
