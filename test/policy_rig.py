"""A policy node under test over real DDS: perception, an arm and an operator around it."""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from threading import Event
from time import monotonic, sleep, time_ns
from typing import Any

import jaxtyping
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from native_bundle import HEIGHT_PX, WIDTH_PX
from rclpy.clock import Clock as RosClock
from rclpy.clock import ClockType
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from ros_harness import FRAME_ID, TestCamera
from rosgraph_msgs.msg import Clock
from seeker import Seeker
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String
from std_srvs.srv import SetBool, Trigger

from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.messages.convert import header, ns_from_stamp, stamp_from_ns
from robot_vision.ros.messages.poses import pose_from_transform, transform_from_pose
from robot_vision.ros.middleware.message_numbers import with_info
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.loading import LoadedPolicy
from robot_vision.ros.policy.node import PolicyNode
from robot_vision.ros.run import SWITCH_S

# The tiny model sees a cube 1.5 m before the camera, which looks down from above the table.
CAMERA_POSE = {
    "camera_pose.source": "parameters",
    "camera_pose.position_m": "[0.45, 0.0, 1.55]",
    "camera_pose.quaternion_xyzw": "[1.0, 0.0, 0.0, 0.0]",
}
# Of a test that is not about age: what is late on a busy machine is not lost.
PATIENT = {"watchdog__robot_state_s": 1.5, "watchdog__perception_s": 3.0}
CUBE_M = (0.465, -0.015, 0.05)
LEAP_M = 0.05
START_M = (0.40, 0.15, 0.30)
DOWN = np.diag([1.0, -1.0, -1.0])
# Long enough for a busy machine: who waits in vain only, waits so long.
WAIT_S = 60.0
# What comes while a busy machine does not serve its listener is not lost.
DEEP = 500


class TestArm:
    """Publishes where it is, goes where it is commanded at once, and records its commands.

    `commands` has each with the time in ns at which it was published.
    """

    __test__ = False

    def __init__(self, node: Node) -> None:
        self.node = node
        self.base_from_tool = np.eye(4)
        self.base_from_tool[:3, :3], self.base_from_tool[:3, 3] = DOWN, START_M
        self.commands: list[tuple[int, PoseStamped]] = []
        self.silent = False
        self.frame_id = "base"
        self.joints = node.create_publisher(JointState, "joint_states", 5)
        self.tool = node.create_publisher(PoseStamped, "tool_pose", 5)
        node.create_subscription(
            PoseStamped, "policy/command/pose", with_info(self._on_pose), DEEP
        )
        node.create_timer(0.02, self.publish, clock=RosClock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        if self.silent:
            return
        stamp_ns = self.node.get_clock().now().nanoseconds
        self.joints.publish(
            JointState(
                header=header(stamp_ns, ""), name=["a", "b", "gripper"], position=[0.1, 0.2, 1.0]
            )
        )
        self.tool.publish(
            PoseStamped(
                header=header(stamp_ns, self.frame_id),
                pose=pose_from_transform(self.base_from_tool),
            )
        )

    def _on_pose(self, message: PoseStamped, info: Mapping[str, Any]) -> None:
        self.commands.append((info.get("source_timestamp", time_ns()), message))
        commanded = transform_from_pose(message.pose)
        # Like that of a real arm, its controller refuses to leap.
        if not self.silent and np.abs(commanded[:3, 3] - self.position_m).max() < LEAP_M:
            self.base_from_tool = commanded

    @property
    def position_m(self) -> np.ndarray:
        return self.base_from_tool[:3, 3]


class Surroundings:
    """Camera, arm and operator in a context and a thread of their own."""

    policy: Any = None

    def __init__(
        self, context: Context, *, clock: bool = False, remappings: Sequence[str] = ()
    ) -> None:
        arguments = ["--ros-args", "-p", f"use_sim_time:={str(clock).lower()}"]
        for rule in remappings:
            arguments += ["-r", rule]
        self.node = rclpy.create_node("surroundings", context=context, cli_args=arguments)
        self._clock = self.node.create_publisher(Clock, "/clock", 10) if clock else None
        self._others: list[Node] = []
        self.clock_shift_ns = 0
        self.camera = TestCamera(self.node, QoSProfile(depth=5))
        self.arm = TestArm(self.node)
        self.said: list[DiagnosticStatus] = []
        self.latest: dict[str, DiagnosticStatus] = {}
        self.statuses: list[dict[str, Any]] = []
        self.spec = ""
        self._instruction: Publisher | None = None
        self._heartbeat = self.node.create_publisher(Empty, "heartbeat", 5)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 20)
        self.node.create_subscription(String, "policy/status/json", self._on_status, 10)
        self.node.create_subscription(String, "policy/action_spec", self._on_spec, LATCHED_QOS)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._stopping = Event()
        self.frames = True
        self.frozen = self.dark = False
        self.heart_beats = False
        self._random = np.random.default_rng(0)
        self._threads = [
            threading.Thread(target=self._tick),
            threading.Thread(target=self._spin),
            threading.Thread(target=self._publish),
        ]
        for thread in self._threads:
            thread.start()

    def other_node(self, name: str) -> Node:
        """A node that is served with this one, without its remappings."""
        node = rclpy.create_node(name, context=self.node.context)
        self._executor.add_node(node)
        self._others.append(node)
        return node

    def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for node in self._others:
            node.destroy_node()
        self.node.destroy_node()

    def _spin(self) -> None:
        try:
            while not self._stopping.is_set():
                self._executor.spin_once(timeout_sec=0.05)
        except ExternalShutdownException:
            pass

    def _tick(self) -> None:
        while self._clock is not None and not self._stopping.wait(0.005):
            now_ns = time_ns() + self.clock_shift_ns
            self._clock.publish(Clock(clock=stamp_from_ns(now_ns)))

    def _publish(self) -> None:
        """Frames at 20 per second, noisy as those of a real camera; and the heart's beat."""
        pixels = bytes(WIDTH_PX * HEIGHT_PX * 3)
        while not self._stopping.wait(0.05):
            if not self.frozen:
                pixels = self._random.bytes(WIDTH_PX * HEIGHT_PX * 3)
            if self.dark:
                pixels = (np.frombuffer(pixels, np.uint8) // 8).tobytes()
            if self.frames:
                self.camera.send(data=pixels)
            if self.heart_beats:
                self._heartbeat.publish(Empty())

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.latest[status.name] = status
            self.said.append(status)

    def _on_status(self, message: String) -> None:
        self.statuses.append(json.loads(message.data))

    def _on_spec(self, message: String) -> None:
        self.spec = message.data

    def wait_for(self, condition: Callable[[], Any], *, timeout_s: float = WAIT_S) -> None:
        until_s = monotonic() + timeout_s
        while not condition():
            if monotonic() > until_s:
                said = {name: status.message for name, status in self.latest.items()}
                last = self.statuses[-1:] if self.statuses else None
                raise AssertionError(
                    f"not within {timeout_s} s; {json.dumps(said, indent=1)}; status {last}"
                )
            sleep(0.02)

    def wait_until_said(self, part: str, *words: str) -> None:
        """Until /diagnostics of the policy says the words from now on."""
        self.said.clear()
        self.wait_for(
            lambda: any(
                status.name == f"policy: {part}" and all(w in status.message for w in words)
                for status in list(self.said)
            )
        )

    def wait_until_met(self, *topics: str) -> None:
        """Until the policy's publishers of the topics have found a subscription."""
        publishers = {publisher.topic_name: publisher for publisher in self.policy.publishers}
        met = [publishers[f"/policy/{topic}"].get_subscription_count for topic in topics]
        self.wait_for(lambda: all(count() for count in met))

    def latest_value(self, part: str, key: str) -> float:
        """A figure of /diagnostics as it comes next."""
        name = f"policy: {part}"
        self.latest.pop(name, None)
        self.wait_for(lambda: name in self.latest)
        return float({v.key: v.value for v in self.latest[name].values}[key])

    def wait_for_status(self, **wanted: Any) -> dict[str, Any]:
        """Until `~/status/json` has the values, from now on."""
        self.statuses.clear()

        def found() -> dict[str, Any] | None:
            return next(
                (s for s in list(self.statuses) if all(s[k] == v for k, v in wanted.items())), None
            )

        self.wait_for(found)
        result = found()
        assert result is not None
        return result

    def wait_until_held_for(self, *words: str) -> dict[str, Any]:
        """Until the node is enabled and holds for a reason with all the words."""
        self.statuses.clear()

        def held() -> list[dict[str, Any]]:
            return [
                s
                for s in list(self.statuses)
                if s["enabled"]
                and s["holding"]
                and any(all(w in reason for w in words) for reason in s["reasons"])
            ]

        self.wait_for(held)
        return held()[0]

    def wait_until_moving(self) -> None:
        """Until the policy is followed, and the arm got a command."""
        status = self.wait_for_status(enabled=True, holding=False)
        self.wait_for(lambda: self.arm.commands and self.stamps_ns()[-1] >= status["stamp_ns"])

    def instruct(self, text: str) -> None:
        if self._instruction is None:
            self._instruction = self.node.create_publisher(String, "instruction", LATCHED_QOS)
        self._instruction.publish(String(data=text))

    def enable(self, on: bool = True) -> SetBool.Response:
        return self._call(SetBool, "policy/enable", SetBool.Request(data=on))

    def reset(self) -> Trigger.Response:
        return self._call(Trigger, "policy/reset", Trigger.Request())

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        self.wait_for(client.service_is_ready)
        future = client.call_async(request)
        self.wait_for(future.done)
        return future.result()

    def stamps_ns(self) -> list[int]:
        return [ns_from_stamp(message.header.stamp) for _, message in self.arm.commands]


def ros_arguments(parameters: dict[str, Any]) -> list[str]:
    arguments = ["--ros-args"]
    for name, value in parameters.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    return arguments


@contextmanager
def surroundings(*, clock: bool = False, remappings: Sequence[str] = ()) -> Iterator[Surroundings]:
    """With `clock` they make the time: on /clock, by which all their stamps are."""
    context = Context()
    rclpy.init(context=context)
    around = Surroundings(context, clock=clock, remappings=remappings)
    try:
        yield around
    finally:
        around.close()
        context.try_shutdown()


@contextmanager
def as_in_run(*, check_types: bool) -> Iterator[None]:
    """Threads take turns as in `run`, and types are checked or not."""
    unchecked, switch_s = jaxtyping.config.jaxtyping_disable, sys.getswitchinterval()
    jaxtyping.config.update("jaxtyping_disable", not check_types)
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_s)
        jaxtyping.config.update("jaxtyping_disable", unchecked)


@contextmanager
def served(
    make_nodes: Callable[[Context], Sequence[Any]], *, check_types: bool = False
) -> Iterator[list[Any]]:
    """Nodes in a context and threads of their own, as in `run`.

    Checking types takes more of a slow machine than the control loop has: only where time is slow.
    """
    context = Context()
    rclpy.init(context=context)
    executor = CameraFirstExecutor(context=context)
    nodes = list(make_nodes(context))
    for node in nodes:
        executor.add_node(node)

    def spin() -> None:
        with ExitStack() as stack:
            stack.push(lambda kind, *_: kind is not None and issubclass(kind, _ENDS))
            executor.spin()

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        with as_in_run(check_types=check_types):
            yield nodes
    finally:
        context.try_shutdown()
        thread.join()
        for node in reversed(nodes):
            node.destroy_node()
        executor.shutdown(timeout_sec=0)


_ENDS = (ExternalShutdownException,)


def policy_node(
    context: Context,
    perception: PerceptionNode | None = None,
    policy: Seeker | None = None,
    **parameters: Any,
) -> PolicyNode:
    chosen = policy or Seeker()
    given = {"report_period_s": 0.2, **CAMERA_POSE}
    given |= {name.replace("__", "."): value for name, value in parameters.items()}
    return PolicyNode(
        perception=perception,
        load=lambda _: LoadedPolicy(policy=chosen, class_names=("cube", "cup")),
        context=context,
        cli_args=ros_arguments(given),
    )


@contextmanager
def policy_rig(
    model: Any,
    *,
    policy: Seeker | None = None,
    clock: bool = False,
    arm_frame: str = "base",
    **parameters: Any,
) -> Iterator[Surroundings]:
    """Perception and policy in one process, with all that is around them; the policy is ready.

    The arm reports its tool in `arm_frame` before there is a policy that could hear it.
    """

    if clock:
        parameters["use_sim_time"] = True

    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(
            context=context,
            cli_args=ros_arguments(
                {"model": model, "diagnostics.period_s": 0.2, "use_sim_time": clock}
            ),
        )
        return [seeing, policy_node(context, seeing, policy, **parameters)]

    with surroundings(clock=clock) as around:
        around.arm.frame_id = arm_frame
        with served(nodes) as made:
            around.policy = made[1]
            around.wait_for(lambda: around.spec and around.statuses)
            yield around


@contextmanager
def perception_process(bundle: Path) -> Iterator[Popen[bytes]]:
    """Perception by topics, in a process that can be killed."""
    command = [sys.executable, "-m", "robot_vision.ros.run", "--ros-args"]
    process = Popen([*command, "-p", f"model:={bundle}"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def going(around: Surroundings, words: str = "to the cube") -> None:
    """Until the policy is followed."""
    around.instruct(words)
    around.enable()
    around.wait_until_moving()


def lead(around: Surroundings, condition: Callable[[], Any]) -> None:
    """Wait, as an operator does: where a slow machine makes the node ask for it, enable anew."""

    def met() -> bool:
        if around.statuses and around.statuses[-1]["needs_enable"]:
            around.enable()
            around.statuses.clear()
        return bool(condition())

    around.wait_for(met)


__all__ = [
    "CUBE_M",
    "FRAME_ID",
    "PATIENT",
    "START_M",
    "Surroundings",
    "going",
    "lead",
    "policy_rig",
    "surroundings",
]
