"""The simulated robot in a process of its own: what it publishes, and how it takes commands."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from robot_vision.ros.messages.convert import header, ns_from_stamp
from robot_vision.ros.messages.poses import pose_from_transform, transform_from_pose
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.tools.processes import child

pytestmark = pytest.mark.ros

TOPICS: dict[str, tuple[Any, Any]] = {
    "rgb": (Image, 5),
    "depth": (Image, 5),
    "camera_info": (CameraInfo, 5),
    "wrist/rgb": (Image, 5),
    "joint_states": (JointState, 5),
    "tool_pose": (PoseStamped, 5),
    "camera_pose": (PoseStamped, LATCHED_QOS),
    "robot_sim/task": (String, LATCHED_QOS),
    "/clock": (Clock, 5),
}


class Controller:
    """Listens to the simulated robot and commands it, as the policy node would."""

    def __init__(self, context: Context) -> None:
        self.node = rclpy.create_node("controller", context=context)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        for topic, (kind, qos) in TOPICS.items():
            self.node.create_subscription(kind, topic, self.heard[topic].append, qos)
        self.pose = self.node.create_publisher(PoseStamped, "policy/command/pose", 1)
        self.twist = self.node.create_publisher(TwistStamped, "policy/command/twist", 1)
        self.gripper = self.node.create_publisher(JointState, "policy/command/gripper", 1)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)

    def wait_for(
        self,
        condition: Callable[[], Any],
        *,
        meanwhile: Callable[[], object] = lambda: None,
        timeout_s: float = 40.0,
    ) -> None:
        until_s = monotonic() + timeout_s
        while not condition():
            assert monotonic() < until_s, {k: len(v) for k, v in self.heard.items()}
            meanwhile()
            self._executor.spin_once(timeout_sec=0.02)

    def last(self, topic: str) -> Any:
        return self.heard[topic][-1]

    @property
    def task(self) -> dict[str, Any]:
        return json.loads(self.last("robot_sim/task").data)

    @property
    def base_from_tool(self) -> np.ndarray:
        return transform_from_pose(self.last("tool_pose").pose)

    def now_ns(self) -> int:
        return self.node.get_clock().now().nanoseconds

    def go(self, base_from_tool: np.ndarray, *, frame_id: str = "base", age_s: float = 0) -> None:
        stamp_ns = self.now_ns() - round(age_s * 1e9)
        self.pose.publish(
            PoseStamped(
                header=header(stamp_ns, frame_id), pose=pose_from_transform(base_from_tool)
            )
        )


@contextmanager
def robot(tmp_path: Path, **parameters: Any) -> Iterator[Controller]:
    arguments = ["--ros-args", "-p", "seed:=3"]
    for name, value in parameters.items():
        arguments += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
    context = Context()
    rclpy.init(context=context)
    controller = Controller(context)
    log = tmp_path / "robot.log"
    try:
        with child("robot_vision.ros.simulation.node", *arguments, log=str(log)) as process:
            controller.wait_for(
                lambda: (
                    process.poll() is not None
                    or (controller.heard["tool_pose"] and controller.heard["robot_sim/task"])
                )
            )
            assert process.poll() is None, log.read_text()
            yield controller
    finally:
        controller.node.destroy_node()
        context.try_shutdown()


def stamps(controller: Controller, topic: str) -> set[int]:
    return {ns_from_stamp(message.header.stamp) for message in controller.heard[topic]}


def test_pictures_state_and_camera_pose_are_of_one_moment(tmp_path: Path) -> None:
    with robot(tmp_path, wrist_camera=True) as r:
        r.wait_for(lambda: all(r.heard[t] for t in TOPICS if t != "/clock"))
        # The first of a topic may be lost until writer and reader have found each other.
        r.wait_for(lambda: len(stamps(r, "rgb") & stamps(r, "depth") & stamps(r, "tool_pose")) > 2)
    rgb, info = r.last("rgb"), r.last("camera_info")
    assert (rgb.encoding, rgb.width, rgb.height) == ("rgb8", info.width, info.height)
    assert np.frombuffer(rgb.data, np.uint8).std() > 10
    depth_m = np.frombuffer(r.last("depth").data, np.uint16) / 1000
    assert 0.5 < np.median(depth_m[depth_m > 0]) < 2.0
    joints = r.last("joint_states")
    assert list(joints.name) == [*(f"joint{k}" for k in range(1, 8)), "gripper"]
    # The camera looks at the table from above.
    camera = transform_from_pose(r.last("camera_pose").pose)
    assert camera[2, 3] > 0.4
    assert camera[2, 2] < -0.4
    assert r.task["instruction"]
    assert r.task["success"] is False


def test_the_arm_goes_where_it_is_commanded_and_refuses_what_is_old_or_of_another_frame(
    tmp_path: Path,
) -> None:
    with robot(tmp_path, camera_hz=2.0) as r:
        start = r.base_from_tool
        wrong = start.copy()
        wrong[2, 3] += 0.1
        refused = r.task["commands_refused"]
        r.wait_for(
            lambda: r.task["commands_refused"] > refused + 5,
            meanwhile=lambda: (r.go(wrong, age_s=5.0), r.go(wrong, frame_id="camera")),
        )
        np.testing.assert_allclose(r.base_from_tool[:3, 3], start[:3, 3], atol=0.005)
        target = start.copy()
        target[:3, 3] += [0.03, 0.05, -0.04]
        r.wait_for(
            lambda: np.abs(r.base_from_tool[:3, 3] - target[:3, 3]).max() < 0.004,
            meanwhile=lambda: r.go(target),
        )
        closed = JointState(name=["gripper"], position=[0.0])

        def close() -> None:
            r.gripper.publish(closed)
            r.go(target)

        r.wait_for(lambda: r.last("joint_states").position[-1] < 0.3, meanwhile=close)


def test_a_twist_moves_the_arm_and_ends_when_no_other_comes(tmp_path: Path) -> None:
    with robot(tmp_path, camera_hz=2.0, command="twist", command_timeout_s=0.2) as r:
        start = r.base_from_tool

        def push() -> None:
            message = TwistStamped(header=header(r.now_ns(), "base"))
            message.twist.linear.y = 0.1
            r.twist.publish(message)

        r.wait_for(lambda: r.base_from_tool[1, 3] > start[1, 3] + 0.03, meanwhile=push)
        seen = len(r.heard["tool_pose"])
        r.wait_for(lambda: len(r.heard["tool_pose"]) > seen + 60)
        at_m = [m.pose.position.y for m in r.heard["tool_pose"][-20:]]
        assert np.ptp(at_m) < 0.002
        assert max(at_m) < start[1, 3] + 0.12


def test_reset_brings_another_scene(tmp_path: Path) -> None:
    with robot(tmp_path, camera_hz=2.0) as r:
        before = r.task
        client = r.node.create_client(Trigger, "robot_sim/reset")
        r.wait_for(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        r.wait_for(future.done)
        answer = json.loads(future.result().message)
        assert answer["seed"] == before["seed"] + 1
        r.wait_for(lambda: r.task["seed"] == answer["seed"])
        assert r.task["instruction"] == answer["instruction"]
        pictures = len(r.heard["rgb"])
        r.wait_for(lambda: len(r.heard["rgb"]) > pictures + 2)


def test_parameters_that_are_read_at_the_start_are_refused_later(tmp_path: Path) -> None:
    with robot(tmp_path, camera_hz=2.0) as r:
        client = AsyncParameterClient(r.node, "robot_sim")
        r.wait_for(client.services_are_ready)

        def answer_to(name: str, value: Any) -> Any:
            future = client.set_parameters([Parameter(name, value=value)])
            r.wait_for(future.done)
            response = future.result()
            assert response is not None
            return response.results[0]

        refused = answer_to("camera_hz", 5.0)
        assert not refused.successful
        assert refused.reason == "camera_hz: read at the start only; start robot_sim again"
        assert answer_to("seed", 17).successful
        reset = r.node.create_client(Trigger, "robot_sim/reset")
        r.wait_for(reset.service_is_ready)
        future = reset.call_async(Trigger.Request())
        r.wait_for(future.done)
        answer: Any = future.result()
        assert json.loads(answer.message)["seed"] == 17


def test_help_lists_the_parameters() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "robot_vision.ros.simulation.node", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "camera_hz: 10.0" in shown.stdout
    assert "-p name:=value" in shown.stdout


def test_a_machine_that_is_too_slow_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with robot(tmp_path, speed=100.0) as r:
        r.wait_for(lambda: r.task["behind_s"] > 4)
        log = (tmp_path / "robot.log").read_text()
        assert log.count("this machine is too slow for speed 100") == 1
        assert "-p speed:=20" in log


def test_at_another_speed_it_makes_the_time(tmp_path: Path) -> None:
    with robot(tmp_path, camera_hz=5.0, speed=0.25) as r:
        r.wait_for(lambda: len(r.heard["/clock"]) > 10)
        begin_s = monotonic()
        first_ns = ns_from_stamp(r.last("/clock").clock)
        r.wait_for(lambda: monotonic() - begin_s > 2.0)
        passed_s = (ns_from_stamp(r.last("/clock").clock) - first_ns) / 1e9
        assert 0.1 < passed_s < 0.75
        stamps_ns = np.array([ns_from_stamp(m.header.stamp) for m in r.heard["rgb"]])
        np.testing.assert_allclose(np.diff(stamps_ns) % 200_000_000, 0)
