"""Joint space over real DDS: the policy node leads the simulated robot by joint trajectories."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from subprocess import Popen
from time import sleep
from typing import Any

import numpy as np
import pytest
from arm_models import urdf_of
from geometry_msgs.msg import PoseStamped
from policy_rig import (
    CUBE_M,
    DEEP,
    PATIENT,
    Surroundings,
    lead,
    policy_node,
    ros_arguments,
    served,
    surroundings,
)
from rclpy.context import Context
from seeker import HEIGHT_ABOVE_M
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.tools.processes import child

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)
pytestmark = pytest.mark.ros

OVER_CUBE_M = np.array(CUBE_M) + np.array([0, 0, HEIGHT_ABOVE_M])
# The rig has a camera and an arm of its own: theirs and the robot's must not mix.
_RIG_APART = ("joint_states:=/rig/joint_states", "tool_pose:=/rig/tool_pose")
_ROBOT_APART = tuple(f"{name}:=/robot/{name}" for name in ("rgb", "depth", "camera_info"))


class Robot:
    """What the simulated robot's topics say, and its process."""

    def __init__(self, around: Surroundings, process: Popen[str], tool_topic: str) -> None:
        self.process = process
        self.joints: list[JointState] = []
        self.tool: list[PoseStamped] = []
        self.commanded: list[JointTrajectory] = []
        listener = around.other_node("listener")
        for kind, topic, heard in (
            (JointState, "/joint_states", self.joints),
            (PoseStamped, tool_topic, self.tool),
            (JointTrajectory, "/policy/command/joint_trajectory", self.commanded),
        ):
            listener.create_subscription(kind, topic, heard.append, DEEP)

    @property
    def tool_m(self) -> np.ndarray:
        place = self.tool[-1].pose.position
        return np.array([place.x, place.y, place.z])

    def positions(self, last: int) -> np.ndarray:
        return np.array([message.position[:-1] for message in self.joints[-last:]])


@contextmanager
def joint_rig(
    model: Path, log: Path, *, arm: str = "seven", source: str = "topic"
) -> Iterator[tuple[Surroundings, Robot]]:
    """Perception and policy in joint space, the simulated robot in a process of its own."""
    tool_topic = "/tool_pose" if source == "topic" else "/robot/tool_pose"
    apart = [*_ROBOT_APART, f"tool_pose:={tool_topic}"]
    arguments = ros_arguments({"command": "joint", "arm": arm, "seed": 3, "camera_hz": 1.0})
    arguments += [word for rule in apart for word in ("-r", rule)]

    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(
            context=context,
            cli_args=ros_arguments({"model": model, "diagnostics.period_s": 0.2}),
        )
        wanted = {"joint_space__enabled": True, "tool_pose__source": source}
        return [seeing, policy_node(context, seeing, **wanted, **PATIENT)]

    with (
        surroundings(remappings=_RIG_APART) as around,
        child("robot_vision.ros.simulation.node", *arguments, log=str(log)) as process,
        served(nodes),
    ):
        robot = Robot(around, process, tool_topic)
        around.wait_for(lambda: around.spec and around.statuses and robot.joints and robot.tool)
        around.wait_for(lambda: json.loads(around.spec)["joint_space"])
        yield around, robot


def going(around: Surroundings, robot: Robot) -> None:
    around.instruct("to the cube")
    around.wait_for_status(instruction="to the cube")
    assert around.enable().success
    lead(around, lambda: any(not status["holding"] for status in list(around.statuses)))
    around.wait_for(lambda: robot.commanded)


def assert_within_limits(around: Surroundings, robot: Robot) -> None:
    """Of every command that was heard: some are lost, which makes no speed larger."""
    spec = json.loads(around.spec)["joint_space"]
    commanded = list(robot.commanded)
    assert all(list(message.joint_names) == spec["names"] for message in commanded)
    at = np.array([message.points[0].positions for message in commanded])
    stamps_s = np.array([ns_from_stamp(message.header.stamp) for message in commanded]) / 1e9
    assert (at >= np.array(spec["lower"]) - 1e-9).all()
    assert (at <= np.array(spec["upper"]) + 1e-9).all()
    passed_s = np.diff(stamps_s)
    assert (passed_s > 0).all()
    # A tick that the machine was late for moves by the steps of time that it took over.
    most = np.array(spec["max_velocity"]) * (passed_s + 0.011)[:, None]
    assert (np.abs(np.diff(at, axis=0)) <= most).all()


def stands(robot: Robot) -> bool:
    return bool(np.ptp(robot.positions(20), axis=0).max() < 2e-3)


@pytest.mark.parametrize(("arm", "source"), [("seven", "topic"), ("six", "joints")])
def test_the_arm_follows_the_words_by_its_joints_and_holds(
    native_bundle: Path, tmp_path: Path, arm: str, source: str
) -> None:
    with joint_rig(native_bundle, tmp_path / "log", arm=arm, source=source) as (around, robot):
        start_m = robot.tool_m
        assert np.linalg.norm(start_m - OVER_CUBE_M) > 0.05
        going(around, robot)
        lead(around, lambda: np.abs(robot.tool_m - OVER_CUBE_M).max() < 0.015)
        around.instruct("to the moon")
        held = around.wait_until_held_for("moon")
        assert sorted(held["joints"]) == sorted(json.loads(around.spec)["joint_space"]["names"])
        around.wait_for(lambda: stands(robot))  # it brakes first
        count = len(robot.joints)
        around.wait_for(lambda: len(robot.joints) > count + 25)
        assert stands(robot)
        assert_within_limits(around, robot)


def test_joints_that_fall_silent_hold_and_nothing_leaps_when_they_are_back(
    native_bundle: Path, tmp_path: Path
) -> None:
    with joint_rig(native_bundle, tmp_path / "log", source="joints") as (around, robot):
        going(around, robot)
        robot.process.send_signal(SIGSTOP)
        try:
            around.wait_until_held_for("robot")
            sleep(0.5)
        finally:
            robot.process.send_signal(SIGCONT)
        count = len(robot.joints)
        around.wait_for(lambda: len(robot.joints) > count + 50)
        here = robot.positions(count + 50)
        assert np.abs(np.diff(here, axis=0)).max() < 0.15
        assert_within_limits(around, robot)


def test_without_a_usable_description_nothing_is_commanded_and_the_reason_is_said(
    native_bundle: Path,
) -> None:
    with surroundings() as around:

        def nodes(context: Context) -> list[Any]:
            seeing = PerceptionNode(
                context=context,
                cli_args=ros_arguments({"model": native_bundle, "diagnostics.period_s": 0.2}),
            )
            node = policy_node(context, seeing, joint_space__enabled=True)
            return [seeing, node]

        with served(nodes):
            around.wait_for(lambda: around.spec and around.statuses)
            around.instruct("to the cube")
            around.enable()
            around.wait_until_held_for("joint space", "robot_description")
            assert around.arm.commands == []


def test_links_that_self_collision_cannot_look_at_are_said(native_bundle: Path) -> None:
    mesh = '<mesh filename="package://no_such/link3.stl"/>'
    text = urdf_of("six").replace('<sphere radius="0.05"/>', mesh)
    with surroundings() as around:

        def nodes(context: Context) -> list[Any]:
            seeing = PerceptionNode(
                context=context,
                cli_args=ros_arguments({"model": native_bundle, "diagnostics.period_s": 0.2}),
            )
            return [seeing, policy_node(context, seeing, joint_space__enabled=True)]

        description = around.node.create_publisher(String, "robot_description", LATCHED_QOS)
        description.publish(String(data=text))
        with served(nodes):
            around.wait_for(lambda: around.statuses and any(around.statuses[-1]["joint_warnings"]))
            (words,) = around.statuses[-1]["joint_warnings"]
            assert "is in no package of AMENT_PREFIX_PATH" in words
            assert all(f"link{number}" in words for number in range(1, 7))
            around.wait_for(
                lambda: any(
                    value.key == "joint space" and value.value == words
                    for status in list(around.said)
                    for value in status.values
                )
            )
