"""Real servers of all three actions over DDS; left out where control_msgs is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

pytest.importorskip("control_msgs.action", reason="control_msgs is not installed")

from arm_models import arm_of, urdf_of
from control_msgs.action import FollowJointTrajectory, GripperCommand, ParallelGripperCommand
from geometry_msgs.msg import PoseStamped
from policy_rig import (
    CUBE_M,
    PATIENT,
    Surroundings,
    lead,
    policy_node,
    ros_arguments,
    served,
    surroundings,
)
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from seeker import HEIGHT_ABOVE_M
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.types import Command
from robot_vision.ros.messages.convert import header
from robot_vision.ros.messages.poses import pose_from_transform
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.actions.action_outputs import ActionOutputs

pytestmark = pytest.mark.ros

OVER_CUBE_M = np.array(CUBE_M) + np.array([0, 0, HEIGHT_ABOVE_M])
ACTIONS = {
    "joint_space__enabled": True,
    "joint_space__output": "action",
    "joint_space__action": "jtc/follow_joint_trajectory",
    "gripper__action_name": "gripper/cmd",
    "gripper__open": 0.08,
}
GRIPPERS = {"GripperCommand": GripperCommand, "ParallelGripperCommand": ParallelGripperCommand}
# Turns the tool down, above the table.
HOME = np.array([-3.092, -1.7531, 1.9415, -1.7592, -1.5708, -1.5212])


class Controllers:
    """Arm and gripper behind action servers; they are where the last goal ends."""

    def __init__(self, around: Surroundings, gripper: str = "GripperCommand") -> None:
        self._gripper = GRIPPERS[gripper]
        self.arm, self.at = arm_of("six"), HOME
        self.names = list(self.arm.joint_names)
        self.goals: list[np.ndarray] = []
        self.grips: list[float] = []
        self.efforts: list[float] = []
        self.rejects = self.aborts = self.gives_up = False
        node = self._node = around.other_node("controllers")
        self._servers = [
            ActionServer(
                node,
                kind,
                name,
                execute,
                goal_callback=self._judge,
                cancel_callback=lambda _: CancelResponse.ACCEPT,
            )
            for kind, name, execute in (
                (FollowJointTrajectory, "jtc/follow_joint_trajectory", self._move),
                (self._gripper, "gripper/cmd", self._grip),
            )
        ]
        self._description = node.create_publisher(String, "robot_description", LATCHED_QOS)
        self._description.publish(String(data=urdf_of("six")))
        self._joints = node.create_publisher(JointState, "/joint_states", 5)
        self._tool = node.create_publisher(PoseStamped, "/tool_pose", 5)
        node.create_timer(0.02, self.publish)

    @property
    def base_from_tool(self) -> np.ndarray:
        pose = self.arm.base_from_tool(dict(zip(self.names, self.at.tolist(), strict=True)))
        assert pose is not None
        return pose

    def publish(self) -> None:
        stamp = header(self._node.get_clock().now().nanoseconds, "base")
        names, position = [*self.names, "gripper"], [*self.at.tolist(), 0.08]
        self._joints.publish(JointState(header=stamp, name=names, position=position))
        pose = pose_from_transform(self.base_from_tool)
        self._tool.publish(PoseStamped(header=stamp, pose=pose))

    def _judge(self, _: Any) -> GoalResponse:
        return GoalResponse.REJECT if self.rejects else GoalResponse.ACCEPT

    def _move(self, handle: Any) -> Any:
        if self.aborts:
            handle.abort()
            return FollowJointTrajectory.Result(error_code=-4, error_string="path tolerance")
        self.at = np.array(handle.request.trajectory.points[0].positions)
        self.goals.append(self.at)
        handle.succeed()
        return FollowJointTrajectory.Result()

    def _grip(self, handle: Any) -> Any:
        command = handle.request.command
        if self._gripper is GripperCommand:
            self.grips.append(command.position)
            self.efforts.append(command.max_effort)
        else:
            assert list(command.name) == ["gripper"]
            self.grips += command.position
            self.efforts += command.effort
        if self.gives_up:  # as Franka's does when something is between its fingers
            handle.abort()
            return self._gripper.Result()
        handle.succeed()
        return self._gripper.Result(reached_goal=True)


@contextmanager
def rig(
    model: Path, gripper: str = "GripperCommand"
) -> Iterator[tuple[Surroundings, Controllers]]:
    actions = {**ACTIONS, "gripper__action": gripper}

    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(
            context=context,
            cli_args=ros_arguments({"model": model, "diagnostics.period_s": 0.2}),
        )
        return [seeing, policy_node(context, seeing, **actions, **PATIENT)]

    apart = ("joint_states:=/rig/joint_states", "tool_pose:=/rig/tool_pose")
    with surroundings(remappings=apart) as around:
        controllers = Controllers(around, gripper)
        with served(nodes):
            around.wait_for(lambda: around.spec and around.statuses)
            around.instruct("to the cube")
            around.wait_for_status(instruction="to the cube")
            assert around.enable().success
            yield around, controllers


def ends_within(controllers: Controllers, *, seconds: float) -> bool:
    """Whether no goal comes for so long."""
    count = len(controllers.goals)
    sleep(seconds)
    return len(controllers.goals) == count


@pytest.mark.parametrize("gripper", list(GRIPPERS))
def test_goals_lead_the_arm_and_a_hold_ends_them(native_bundle: Path, gripper: str) -> None:
    with rig(native_bundle, gripper) as (around, controllers):
        lead(around, lambda: np.abs(controllers.base_from_tool[:3, 3] - OVER_CUBE_M).max() < 0.02)
        assert controllers.grips[0] == pytest.approx(0.08)
        around.instruct("to the moon")
        around.wait_until_held_for("moon")
        around.wait_for(lambda: ends_within(controllers, seconds=1.0))  # it brakes first
        assert ends_within(controllers, seconds=0.5)


@pytest.mark.parametrize(
    ("what", "words"), [("rejects", "rejected the goal"), ("aborts", "path tolerance")]
)
def test_a_goal_that_fails_holds_with_the_reason_until_enabled_anew(
    native_bundle: Path, what: str, words: str
) -> None:
    with rig(native_bundle) as (around, controllers):
        lead(around, lambda: controllers.goals)
        setattr(controllers, what, True)
        around.wait_until_held_for(words)
        setattr(controllers, what, False)
        sleep(0.5)
        around.wait_until_held_for(words)
        count = len(controllers.goals)
        assert around.enable().success
        lead(around, lambda: len(controllers.goals) > count)


def test_an_action_without_a_server_is_said(native_bundle: Path) -> None:
    with rig(native_bundle) as (around, controllers):
        lead(around, lambda: controllers.goals)
        for server in controllers._servers:
            server.destroy()
        around.wait_until_held_for("no server of the action jtc/follow_joint_trajectory")


@pytest.mark.parametrize("kind", list(GRIPPERS))
def test_a_gripper_that_gives_up_closing_holds_something(kind: str) -> None:
    """One that gives up opening is at fault."""
    values = {"action": kind, "action_name": "gripper/cmd", "open": 0.08, "max_effort": 20.0}
    config = PolicyNodeConfig.model_validate({"gripper": values})
    with surroundings() as around:
        controllers = Controllers(around, kind)
        outputs = ActionOutputs(around.other_node("policy"), config, ReentrantCallbackGroup())

        def sends(opening: float) -> str:
            count = len(controllers.grips)

            def is_there() -> bool:
                assert outputs.problem is not None  # looks for the server
                outputs.command(opened(opening))
                return len(controllers.grips) > count

            around.wait_for(is_there)
            sleep(0.5)  # its end is on the way
            return outputs.problem

        assert sends(1.0) == ""
        controllers.gives_up = True
        assert sends(0.0) == ""
        sends(1.0)
        around.wait_for(lambda: "the gripper did not reach its position" in outputs.problem)
        assert controllers.grips == pytest.approx([0.08, 0.0, 0.08])
        assert controllers.efforts == [20.0] * 3
        outputs.close()


def opened(opening: float) -> Command:
    return Command(
        stamp_ns=1,
        observation_stamp_ns=1,
        base_from_tool=np.eye(4),
        twist=np.zeros(6),
        gripper_open=opening,
        action=np.zeros(7),
        holding=False,
    )
