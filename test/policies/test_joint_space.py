"""The controller in joint space: the same safety, age and holds as with tool poses."""

import numpy as np
from arm_models import HOMES, arm_of
from controller_rig import MS, START_NS, decision_of, instruction_of, moving, spec_of

from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.parameters.groups.policy_config import PolicyConfig, SafetyConfig
from robot_vision.core.types import Command, RobotState
from robot_vision.policies.control.controller import Controller

SAFETY = SafetyConfig(workspace_min_m=[-2, -2, -2], workspace_max_m=[2, 2, 2])


class JointRig:
    """An ideal arm of seven joints that is where it was commanded; decisions every 100 ms."""

    def __init__(self, *, describe: bool = True, home=HOMES["seven"], **joint_space) -> None:
        config = PolicyConfig(
            safety=SAFETY, joint_space=JointSpaceConfig(enabled=True, **joint_space)
        )
        self.controller = Controller(spec_of(), config)
        self.arm, self.now_ns = arm_of("seven"), START_NS
        self.joints = np.array(home)
        self.speed_mps = (0.05, 0.0, 0.0)
        self.commands: list[Command] = []
        self.reasons: list[str] = []
        self.ticks = 0
        if describe:
            self.controller.describe_arm(self.arm)
        self.controller.instruct(instruction_of(), self.now_ns - 1)
        self.controller.enable(True, self.now_ns)

    def pose_at(self, joints: np.ndarray) -> np.ndarray:
        names = self.arm.joint_names
        pose = self.arm.base_from_tool(dict(zip(names, joints.tolist(), strict=True)))
        assert pose is not None
        return pose

    def state(self) -> RobotState:
        return RobotState(
            stamp_ns=self.now_ns,
            joint_position_rad=self.joints.copy(),
            base_from_tool=self.pose_at(self.joints),
            gripper_open=1.0,
            joint_names=self.arm.joint_names,
        )

    def run(self, ticks: int, *, decide: bool = True) -> None:
        for _ in range(ticks):
            state = self.state()
            self.controller.robot(state, self.now_ns)
            if decide and self.ticks % 10 == 0:
                answer = decision_of(moving(self.speed_mps), self.now_ns)
                self.controller.decided(answer, state, self.now_ns)
            command = self.controller.command(self.now_ns)
            if command is not None:
                self.commands.append(command)
                self.reasons += command.reasons
                if command.joints is not None:
                    self.joints = command.joints.position
            self.ticks, self.now_ns = self.ticks + 1, self.now_ns + 10 * MS


def test_it_moves_the_joints_so_that_the_tool_goes_where_the_policy_says() -> None:
    rig = JointRig()
    start = rig.state().base_from_tool[:3, 3]
    rig.run(150)
    way = rig.state().base_from_tool[:3, 3] - start
    assert way[0] > 0.03
    assert abs(way[1:]).max() < 0.005
    last = rig.commands[-1]
    assert last.joints is not None
    assert last.joints.names == rig.arm.joint_names
    np.testing.assert_allclose(last.base_from_tool, rig.pose_at(last.joints.position), atol=1e-9)


def test_the_first_command_is_the_measured_posture() -> None:
    rig = JointRig()
    measured = rig.joints.copy()
    rig.run(40)
    first = rig.commands[0].joints
    assert first is not None
    np.testing.assert_allclose(first.position, measured, atol=1e-9)


def test_without_a_description_nothing_is_commanded() -> None:
    rig = JointRig(describe=False)
    rig.run(50)
    assert rig.commands == []
    reasons = rig.controller.status(rig.now_ns).reasons
    assert any("no robot_description" in reason for reason in reasons)


def test_a_description_that_does_not_fit_the_parameters_says_so() -> None:
    rig = JointRig(max_acceleration=[1.0, 2.0])
    rig.run(50)
    assert rig.commands == []
    assert "max_acceleration has 2" in " ".join(rig.controller.status(rig.now_ns).reasons)


def test_outside_its_limits_it_does_not_start_and_says_which_joint() -> None:
    home = [*HOMES["seven"]]
    home[3] = 0.2  # at most −0.07
    rig = JointRig(home=home)
    rig.run(50)
    assert rig.commands == []
    assert "joint j4 is at 0.2" in " ".join(rig.controller.status(rig.now_ns).reasons)


def test_at_a_limit_it_holds_with_the_reason_and_never_leaps() -> None:
    rig = JointRig()
    rig.speed_mps = (0.4, 0.0, 0.0)  # until the arm is stretched
    rig.run(500)
    holds = [reason for reason in rig.reasons if "singular" in reason or "limit" in reason]
    assert holds
    positions = np.array([c.joints.position for c in rig.commands if c.joints is not None])
    assert np.abs(np.diff(positions, axis=0)).max() <= 2.6 * 0.01 + 1e-9
    counts = rig.controller.status(rig.now_ns).interventions
    assert {"singularity", "joint_position", "joint_velocity", "joint_acceleration"} & set(counts)


def test_after_a_hold_at_a_limit_it_moves_back_when_the_policy_says_so() -> None:
    rig = JointRig()
    rig.speed_mps = (0.4, 0.0, 0.0)
    rig.run(500)
    far = rig.state().base_from_tool[0, 3]
    rig.speed_mps = (-0.1, 0.0, 0.0)
    rig.run(150)
    assert rig.state().base_from_tool[0, 3] < far - 0.03


def test_old_perception_brings_the_joints_to_rest() -> None:
    rig = JointRig()
    rig.run(100)
    rig.run(200, decide=False)
    last = rig.commands[-1]
    assert last.holding
    assert last.joints is not None
    np.testing.assert_allclose(last.joints.velocity, 0.0, atol=1e-6)


def test_a_new_description_begins_anew_at_the_measured_joints() -> None:
    rig = JointRig()
    rig.run(60)
    rig.controller.describe_arm(rig.arm)
    measured = rig.joints.copy()
    rig.run(1)
    joints = rig.commands[-1].joints
    assert joints is not None
    np.testing.assert_allclose(joints.position, measured, atol=1e-4)


def test_it_says_which_joints_it_commands_and_their_limits() -> None:
    spec = JointRig().controller.joint_spec
    assert spec is not None
    assert spec.names == arm_of("seven").joint_names
    assert spec.upper[0] == 2.9 - 0.03
    assert abs(spec.max_velocity[0] - 0.8 * 2.2) < 1e-12
    assert JointRig(describe=False).controller.joint_spec is None
