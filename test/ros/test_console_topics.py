"""Nonsense on every topic that the console reads: it goes on, and says how much it was."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from policy_rig import ros_arguments, served
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String

from robot_vision.console.client import Console
from robot_vision.ros.console.commander import INSTRUCTION_QOS
from robot_vision.ros.console.node import ConsoleNode

pytestmark = pytest.mark.ros

STATUS = {"enabled": True, "holding": False, "command_hz": 100.0}
TEXTS = ["", "{", "null", "[]", "{}", "NaN", '{"stage_ms": {"a": "b"}}', "[" * 100_000]


@contextmanager
def console_and_stranger() -> Iterator[tuple[Console, Node]]:
    """The console beside a graph, and a node that publishes what it likes."""

    def make(context: Context) -> list[Any]:
        arguments = ros_arguments({"port": 0, "limits.requests_hz": 1e5})
        return [
            ConsoleNode(context=context, cli_args=arguments),
            Node("stranger", context=context),
        ]

    with served(make) as (console, stranger), Console(console.server.url) as client:
        yield client, stranger


def wait_until(condition: Any, *, timeout_s: float = 20.0) -> None:
    until_s = monotonic() + timeout_s
    while not condition():
        assert monotonic() < until_s
        sleep(0.05)


def test_nonsense_on_topics_is_counted_and_the_console_goes_on() -> None:
    with console_and_stranger() as (console, stranger):
        diagnostics = stranger.create_publisher(DiagnosticArray, "/diagnostics", 10)
        status = stranger.create_publisher(String, "policy/status/json", 10)
        objects = stranger.create_publisher(String, "perception/objects/json", 10)
        words = stranger.create_publisher(String, "instruction", INSTRUCTION_QOS)
        wrong = DiagnosticStatus(
            level=b"\x09",
            name="perception: inputs",
            message="<img src=x onerror=alert(1)>",
            values=[KeyValue(key="rgb_hz", value="1e999"), KeyValue(key="x_hz", value="\n")],
        )
        topics = ("/diagnostics", "/policy/status/json", "/perception/objects/json")

        def all_counted() -> bool:
            diagnostics.publish(DiagnosticArray(status=[wrong]))
            words.publish(String(data="z" * 100_000))
            for text in TEXTS:
                status.publish(String(data=text))
                objects.publish(String(data=text))
            return set(topics) <= set(console.state().unusable)

        wait_until(all_counted)
        wait_until(
            lambda: all_counted() and any("instruction" in t for t in console.state().unusable)
        )
        state = console.state()
        assert "rgb" not in state.rates_hz
        assert state.instructions == []
        assert state.policy is None

        def recovered() -> bool:
            status.publish(String(data=json.dumps(STATUS)))
            return console.state().policy is not None

        wait_until(recovered)
        assert httpx.get(f"{console.url}/metrics").status_code == 200


def publish_until_refused(publisher: Any, message: Any, console: Console) -> None:
    def count() -> int:
        return console.state().unusable.get(publisher.topic_name, 0)

    before = count()

    def is_refused() -> bool:
        publisher.publish(message)
        return count() > before

    wait_until(is_refused)


def test_huge_messages_and_damaged_ones_are_refused_before_they_become_objects() -> None:
    huge = String(data="x" * 2_000_000)
    many = DiagnosticArray(status=[DiagnosticStatus(level=b"\x00")] * 20_000)
    some = DiagnosticArray(status=[DiagnosticStatus(level=b"\x00")] * 150)
    kinds: dict[str, tuple[Any, list[Any]]] = {
        "/diagnostics": (DiagnosticArray, [many, b"junk", some]),
        "/policy/status/json": (String, [huge, b"junk"]),
        "/perception/objects/json": (String, [huge, b"junk"]),
        "/instruction": (String, [huge, b"junk"]),
    }
    with console_and_stranger() as (console, stranger):
        for topic, (kind, messages) in kinds.items():
            qos = INSTRUCTION_QOS if topic == "/instruction" else 10
            publisher = stranger.create_publisher(kind, topic, qos)
            for message in messages:
                publish_until_refused(publisher, message, console)
        state = console.state()
    assert state.unusable["/diagnostics"] >= 50, "statuses beyond the most are counted"
    assert len(state.diagnostics) <= 1
    assert state.instructions == []


def test_images_that_are_none_are_counted_and_the_stream_goes_on() -> None:
    with console_and_stranger() as (console, stranger):
        names = ("perception/depth/image", "perception/features", "policy/attention")
        publishers = [stranger.create_publisher(Image, name, 2) for name in names]
        shapes = [(0, 0, 0), (3, 5, 7), (2**31, 2**31, 4), (1, 1, 4)]
        stream = console.stream({"state": 20, "depth": 20, "features": 20, "attention": 20})
        until_s = monotonic() + 20
        # One at a time: of a burst the console takes the newest alone, and one of them is sound.
        for (height, width, size), message in zip(cycle(shapes), stream, strict=False):
            for publisher in publishers:
                publisher.publish(Image(height=height, width=width, data=b"\xff" * size))
            unusable = getattr(message, "data", {}).get("unusable", {})
            if len(unusable) == len(names):
                break
            assert monotonic() < until_s, unusable
        assert console.state().commands is not None
