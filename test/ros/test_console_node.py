"""The console over real DDS: in the process of perception and policy, and beside them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from goes import measured
from native_bundle import HEIGHT_PX, WIDTH_PX
from policy_rig import Surroundings, policy_node, ros_arguments, served, surroundings
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import SetBool

from robot_vision.console.client import Console, ConsoleRefusedError, DataMessage, PictureMessage
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus
from robot_vision.ros.console.node import ConsoleNode
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.perception.node import PerceptionNode

TWO_PERIODS_NS = 20_000_000


@contextmanager
def in_process(model: Path, *, with_policy: bool = True) -> Iterator[tuple[Surroundings, Console]]:
    """Perception, policy and console in one process, as `run --console` has them."""

    def make(context: Context) -> list[Any]:
        seeing = perception(context, model)
        acting = [policy_node(context, seeing)] if with_policy else []
        return [seeing, *acting, console_node(context, seeing)]

    with surroundings() as around, served(make) as nodes, Console(nodes[-1].server.url) as console:
        wait_for(around, console.is_ready, console)
        yield around, console


@contextmanager
def beside(model: Path) -> Iterator[tuple[Surroundings, Console]]:
    """Perception and policy in one process, the console only by their topics."""

    def make(context: Context) -> list[Any]:
        seeing = perception(context, model)
        return [seeing, policy_node(context, seeing)]

    with ExitStack() as stack:
        around = stack.enter_context(surroundings())
        stack.enter_context(served(make))
        nodes = stack.enter_context(served(lambda context: [console_node(context)]))
        console = stack.enter_context(Console(nodes[0].server.url))
        wait_for(around, console.is_ready, console)
        yield around, console


def perception(context: Context, model: Path) -> PerceptionNode:
    arguments = ros_arguments({"model": model, "diagnostics.period_s": 0.2})
    return PerceptionNode(context=context, cli_args=arguments)


def console_node(context: Context, seeing: PerceptionNode | None = None) -> ConsoleNode:
    arguments = ros_arguments({"port": 0, "limits.requests_hz": 1e5})
    return ConsoleNode(perception=seeing, context=context, cli_args=arguments)


def wait_for(around: Surroundings, condition: Any, console: Console) -> None:
    try:
        around.wait_for(condition, timeout_s=40.0)
    except AssertionError as error:
        raise AssertionError(f"{console.state().model_dump_json(indent=1)}") from error


def hear(
    console: Console, *topics: str, timeout_s: float = 40.0
) -> dict[str, DataMessage | PictureMessage]:
    """The first message of each topic."""
    heard: dict[str, DataMessage | PictureMessage] = {}
    until_s = monotonic() + timeout_s
    for message in console.stream(dict.fromkeys(topics, 30.0)):
        heard[message.topic if isinstance(message, DataMessage) else message.header.topic] = (
            message
        )
        if set(topics) <= set(heard):
            return heard
        assert monotonic() < until_s, f"only {list(heard)} came"
    raise AssertionError("the stream ended")


def test_the_stream_shows_what_perception_saw(native_bundle: Path) -> None:
    with in_process(native_bundle) as (around, console):
        heard = hear(console, "frame", "depth", "features", "objects", "state", "metrics")
        frame = heard["frame"]
        image = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
        assert 0 < frame.header.age_ms < 20_000
        view = console.objects()
        assert view.objects[0].class_name == "cube"
        assert view.objects[0].outline_px
        # By reference: nobody but the node itself subscribes to the camera.
        assert around.camera.rgb.get_subscription_count() == 1
        # The node reports its state only a few times per second.
        wait_for(around, lambda: console.state().model.state == "active", console)
        state = console.state()
        assert state.camera.status == "live"
        assert "transport" in state.age_ms
        assert state.memory.perception_mb is not None
        wait_for(around, lambda: console.state().policy is not None, console)
        for node in ("perception: ", "policy: "):
            wait_for(around, lambda node=node: node in diagnosed(console), console)


def diagnosed(console: Console) -> str:
    """The names of all that was diagnosed."""
    return "; ".join(diagnosis.name for diagnosis in console.state().diagnostics)


def test_a_killed_camera_is_reported_within_a_second_then_why(native_bundle: Path) -> None:
    with in_process(native_bundle, with_policy=False) as (around, console):

        def reported_s() -> float:
            around.frames = True
            wait_for(around, lambda: console.state().camera.status == "live", console)
            around.frames = False
            stopped_s = monotonic()
            wait_for(around, lambda: console.state().camera.status == "no camera", console)
            return monotonic() - stopped_s

        assert measured(reported_s, below=1.0 + 0.05) < 1.0 + 0.05
        wait_for(around, lambda: "nothing came for" in console.state().silence, console)
        assert not console.is_ready()
        around.frames = True
        wait_for(around, lambda: console.state().camera.status == "live", console)


def test_words_enable_hold_and_reset_reach_the_policy(native_bundle: Path) -> None:
    with in_process(native_bundle) as (around, console):
        wait_for(around, lambda: console.state().commands.allowed, console)
        wait_for(around, lambda: console.state().policy is not None, console)
        assert console.instruct("reach the cube").done
        around.wait_for_status(instruction="reach the cube")
        assert console.enable().done
        around.wait_until_moving()
        assert console.hold().done
        held_ns = time_ns()
        around.wait_for_status(enabled=False)
        sleep(0.3)
        last_ns = max(ns_from_stamp(m.header.stamp) for _, m in list(around.arm.commands))
        assert last_ns <= held_ns + TWO_PERIODS_NS
        wait_for(around, lambda: not console.state().policy.enabled, console)
        state = console.state()
        assert state.instructions[0].text == "reach the cube"
        assert state.policy.action is None or len(state.policy.action) == 7
        assert console.reset().done
        around.wait_for_status(instruction="")


def test_an_instruction_from_elsewhere_is_in_the_history_too(native_bundle: Path) -> None:
    with in_process(native_bundle) as (around, console):
        around.instruct("reach the cup")

        def texts() -> list[str]:
            return [given.text for given in console.state().instructions]

        wait_for(around, lambda: texts() == ["reach the cup"], console)


def test_beside_a_graph_the_topics_say_the_same(native_bundle: Path) -> None:
    with beside(native_bundle) as (around, console):
        assert around.camera.rgb.get_subscription_count() == 1
        heard = hear(console, "frame", "depth", "features", "objects", "state")
        frame, depth = heard["frame"].header, heard["depth"].header
        assert (frame.width_px, frame.height_px) == (WIDTH_PX, HEIGHT_PX)
        assert depth.max_m >= 1.5
        assert heard["features"].header.width_px == 4
        assert console.objects().objects[0].class_name == "cube"
        assert console.state().age_ms["age"].p50 > 0
        assert "inference" in console.state().age_ms
        # Images are subscribed to only while somebody looks.
        around.wait_for(lambda: around.camera.rgb.get_subscription_count() == 1)
        wait_for(around, lambda: console.state().commands.allowed, console)
        assert console.instruct("reach the cube").done
        assert console.enable().done
        around.wait_until_moving()
        assert console.hold().done
        around.wait_for_status(enabled=False)


def test_beside_a_graph_whose_perception_dies(native_bundle: Path) -> None:
    with (
        surroundings() as around,
        served(lambda context: [console_node(context)]) as nodes,
        Console(nodes[0].server.url) as console,
    ):
        assert console.state().camera.status == "starting"
        with served(lambda context: [perception(context, native_bundle)]):
            wait_for(around, console.is_ready, console)
        wait_for(around, lambda: console.state().camera.status == "no camera", console)
        wait_for(around, lambda: "says nothing" in console.state().silence, console)


def test_commands_without_a_policy_are_refused(native_bundle: Path) -> None:
    with in_process(native_bundle, with_policy=False) as (_, console):
        assert "nobody serves /policy/enable" in console.state().commands.reason
        for command in (console.enable, console.hold, console.reset):
            with pytest.raises(ConsoleRefusedError, match="nobody serves") as caught:
                command()
            assert caught.value.status == 409
        with pytest.raises(ConsoleRefusedError, match="nobody listens to /instruction"):
            console.instruct("reach the cube")


@contextmanager
def slow_policy(answer_s: float, *, enabled: bool | None) -> Iterator[Console]:
    """A console of a policy whose answers take so long; its status, if any, says `enabled`."""

    def answer(_: Any, response: SetBool.Response) -> SetBool.Response:
        sleep(answer_s)
        response.success, response.message = True, "at last"
        return response

    def policy(context: Context) -> Node:
        node = Node("policy", context=context)
        group = ReentrantCallbackGroup()
        node.create_service(SetBool, "~/enable", answer, callback_group=group)
        if enabled is not None:
            says = node.create_publisher(String, "~/status/json", 5)
            words = String(data=POLICY_STATUS.write(PolicyStatus(enabled=enabled, holding=True)))
            node.create_timer(0.1, lambda: says.publish(words), callback_group=group)
        return node

    with ExitStack() as stack:
        around = stack.enter_context(surroundings())
        stack.enter_context(served(lambda context: [policy(context)]))
        nodes = stack.enter_context(served(lambda context: [console_node(context)]))
        console = stack.enter_context(Console(nodes[0].server.url))
        wait_for(around, lambda: console.state().commands.allowed, console)
        wait_for(around, lambda: (console.state().policy is None) == (enabled is None), console)
        yield console


def test_a_late_answer_is_waited_for() -> None:
    with slow_policy(3.2, enabled=None) as console:
        assert console.enable().message == "at last"


def test_a_policy_that_neither_answers_nor_acts_is_reported() -> None:
    with slow_policy(7.0, enabled=False) as console:
        with pytest.raises(ConsoleRefusedError, match="did not answer within 5 s"):
            console.enable()
        assert console.state().commands.allowed


def test_the_status_stands_in_for_an_answer_that_is_lost() -> None:
    with slow_policy(7.0, enabled=True) as console:
        begun_s = monotonic()
        assert "the policy's status says that it is done" in console.enable().message
        # A status that was on its way when the command went out proves nothing.
        assert 1.0 < monotonic() - begun_s < 5.0


def test_attention_is_asked_for_only_while_somebody_looks(native_bundle: Path) -> None:
    with in_process(native_bundle) as (around, console):
        count = around.node.count_subscribers
        assert count("/policy/attention") == 0
        wait_for(around, lambda: console.state().commands.allowed, console)
        console.instruct("reach the cube")
        attention = hear(console, "attention")["attention"]
        assert (attention.header.width_px, attention.header.height_px) == (4, 3)
        around.wait_for(lambda: count("/policy/attention") == 0)


@pytest.mark.parametrize(
    "command", [["console", "--port"], ["run", "--console", "--console-port"]]
)
def test_the_commands_serve_and_end_within_two_seconds(
    command: list[str], native_bundle: Path, tmp_path: Path
) -> None:
    given = [*command, "0", "-p", f"model:={native_bundle}"]
    is_node = command[0] == "run"
    once = partial(ending_s, given, tmp_path / "log", is_node=is_node)
    # The console's two seconds, and what the interpreter needs to end on a busy machine.
    assert measured(once, below=6.0) < 6.0


def ending_s(command: list[str], log: Path, *, is_node: bool) -> float:
    """From SIGINT to the end of a command that serves the console."""
    arguments = [sys.executable, "-m", "robot_vision", *command]
    with log.open("w") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = _url_in(log)
        assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
        wait_until_loaded(url, process, is_node=is_node)
        process.send_signal(signal.SIGINT)
        begun_s = monotonic()
        assert process.wait(60) == 0
        took_s = monotonic() - begun_s
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()
    return took_s


def wait_until_loaded(url: str, process: subprocess.Popen[bytes], *, is_node: bool) -> None:
    until_s = monotonic() + 60
    state = ""
    while is_node and state != "active":
        state = httpx.get(f"{url}/api/state", timeout=30).json()["model"]["state"]
        assert process.poll() is None
        assert monotonic() < until_s
        sleep(0.1)


def _url_in(log: Path) -> str:
    until_s = monotonic() + 60
    while "console at " not in log.read_text():
        assert monotonic() < until_s, log.read_text()
        sleep(0.05)
    return log.read_text().partition("console at ")[2].split()[0]
