"""Reports of the arm that are not to be believed: it holds, says why, and never leaps."""

from itertools import pairwise

import numpy as np
import pytest
from controller_rig import MS, Rig, moving, pose_of, rig_of, robot_of

from robot_vision.arm.kinematics import read_chain
from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.core.types import Command

SAFETY = SafetyConfig()
BRAKING_M = 0.06


def last(rig: Rig) -> Command:
    command = rig.commands[-1]
    assert command is not None
    return command


def report(rig: Rig, pose: np.ndarray, ticks: int, *, noise_m: float = 0.0) -> None:
    """The arm reports this pose, whatever it was sent; the camera goes on."""
    rig.arm_alive = False
    generator = np.random.default_rng(0)
    for _ in range(ticks):
        false = pose.copy()
        false[:3, 3] += generator.normal(0, 1, 3) * noise_m
        rig.controller.robot(robot_of(false, rig.now_ns + 10 * MS), rig.now_ns + 10 * MS)
        rig.tick()
    rig.arm_alive = True


def moving_rig(**values) -> Rig:
    rig = rig_of(**values)
    rig.decide = lambda _: moving((0.3, 0.1, 0))
    return rig.begin()


def assert_no_leap(rig: Rig) -> None:
    commands = [command for command in rig.commands if command is not None]
    for before, after in pairwise(commands):
        step_m = np.linalg.norm(after.base_from_tool[:3, 3] - before.base_from_tool[:3, 3])
        assert step_m <= SAFETY.max_speed_mps * 0.01 + 1e-9


@pytest.mark.parametrize("samples", [1, 3, 40])
def test_a_driver_that_restarts_and_reports_the_identity_moves_nothing(samples: int) -> None:
    rig = moving_rig()
    rig.arm_alive = False
    rig.run(0.3)
    stood = last(rig).base_from_tool[:3, 3]
    report(rig, np.eye(4), samples)
    assert last(rig).holding
    rig.run(0.5)
    assert_no_leap(rig)
    # The truth is near: it goes on by itself.
    assert not last(rig).holding, last(rig).reasons
    assert np.linalg.norm(last(rig).base_from_tool[:3, 3] - stood) < 0.3


@pytest.mark.parametrize(
    "false",
    [
        np.eye(4),
        pose_of((1e300, 0, 0)),
        pose_of((np.nan, 0, 0)),
        pose_of((6.0, 0, 0.2)),
        pose_of((0.45, 0, 0.2)) * 2,
        pose_of((0, 0, 0)),
    ],
    ids=["identity", "1e300", "nan", "beyond reach", "no rotation", "origin"],
)
def test_what_no_arm_reports_is_held_at_once_and_not_followed(false: np.ndarray) -> None:
    rig = moving_rig()
    before = last(rig).base_from_tool[:3, 3].copy()
    report(rig, false, 1)
    assert last(rig).holding
    report(rig, false, 59)
    np.testing.assert_array_equal(last(rig).twist, 0.0)
    assert np.linalg.norm(last(rig).base_from_tool[:3, 3] - before) < BRAKING_M
    assert_no_leap(rig)


def test_a_jump_is_held_believed_in_time_and_asks_for_a_new_enable() -> None:
    rig = moving_rig()
    before = last(rig).base_from_tool[:3, 3].copy()
    there = pose_of((0.35, 0.3, 0.3))
    report(rig, there, 1)
    assert any("the tool moved by" in reason for reason in last(rig).reasons)
    report(rig, there, 60, noise_m=1e-4)
    assert rig.controller.status(rig.now_ns).needs_enable
    assert last(rig).reasons[0].startswith("call ~/enable again: the arm was moved")
    assert np.linalg.norm(last(rig).base_from_tool[:3, 3] - before) < BRAKING_M
    rig.controller.enable(True, rig.now_ns)
    rig.pose = there
    rig.commands.clear()
    rig.run(0.5)
    first = next(command for command in rig.commands if command is not None)
    np.testing.assert_allclose(first.base_from_tool[:3, 3], there[:3, 3], atol=1e-3)
    assert not last(rig).holding


def test_values_that_never_change_while_commands_do_are_a_fault() -> None:
    rig = moving_rig()
    before = last(rig).base_from_tool[:3, 3].copy()
    report(rig, rig.pose, 100)
    assert any("no value of the arm's state has changed" in reason for reason in last(rig).reasons)
    stood = last(rig).base_from_tool[:3, 3]
    # Time to notice, at full speed, and to brake; no way back.
    assert np.linalg.norm(stood - before) < 0.2 * SAFETY.max_speed_mps + BRAKING_M
    along = [c.base_from_tool[0, 3] for c in rig.commands if c is not None]
    assert (np.diff(along) >= -1e-12).all()
    assert_no_leap(rig)


def test_it_starts_only_where_the_arm_stands_still_inside_the_workspace() -> None:
    rig = rig_of()
    rig.controller.enable(True, rig.now_ns)
    report(rig, np.eye(4), 30)
    status = rig.controller.status(rig.now_ns)
    assert status.needs_enable
    assert any("the driver has not read its encoders yet" in reason for reason in status.reasons)
    rig.run(0.5)
    assert rig.commands == [None] * 80, "the truth alone does not start it"
    rig.controller.enable(True, rig.now_ns)
    assert rig.tick() is not None


def test_it_does_not_start_outside_the_workspace() -> None:
    rig = rig_of()
    rig.pose = pose_of((0.1, 0.0, 0.2))
    rig.controller.enable(True, rig.now_ns)
    assert rig.run(0.3) == [None] * 30
    status = rig.controller.status(rig.now_ns)
    assert status.needs_enable
    assert "0.1 m outside the workspace (at most 0.05)" in " ".join(status.reasons)


def test_an_arm_that_appears_elsewhere_after_enable_waits_for_another() -> None:
    rig = rig_of()
    rig.run(0.5)
    rig.now_ns += 300 * MS
    rig.controller.enable(True, rig.now_ns)
    rig.commands.clear()
    rig.pose = pose_of((0.35, 0.3, 0.3))
    assert rig.run(0.5) == [None] * 50
    assert rig.controller.status(rig.now_ns).needs_enable


def test_enabled_anew_while_it_brakes_it_stands_first() -> None:
    rig = moving_rig()
    report(rig, pose_of((0.35, 0.3, 0.3)), 12, noise_m=1e-4)
    rig.controller.enable(True, rig.now_ns)
    assert rig.tick() is not None, "it goes on to brake"
    assert_no_leap(rig)


def test_slack_does_not_add_up_for_a_fast_driver() -> None:
    rig = rig_of()
    for count in range(300):
        rig.now_ns += MS
        pose = pose_of((0.3 + 0.01 * count, 0.0, 0.2))
        rig.controller.robot(robot_of(pose, rig.now_ns), rig.now_ns)
    newest = rig.controller.robot_at(rig.now_ns)
    assert newest is not None
    assert newest.base_from_tool[0, 3] < 0.6, "ten metres a second is no arm"


def test_a_joint_that_turns_past_pi_is_not_a_jump() -> None:
    rig = rig_of()
    for angle in (3.12, 3.13, -3.14, -3.13):
        rig.now_ns += 10 * MS
        known = robot_of(pose_of(), rig.now_ns)
        state = type(known)(**{**vars(known), "joint_position_rad": np.full(7, angle)})
        assert rig.controller.robot(state, rig.now_ns) is None


def test_a_fast_driver_does_not_make_a_moving_arm_steady() -> None:
    rig = rig_of()
    rig.controller.enable(True, rig.now_ns)
    for count in range(400):
        rig.now_ns += MS
        pose = pose_of((0.4 + 0.0005 * count, 0.0, 0.2))
        rig.controller.robot(robot_of(pose, rig.now_ns), rig.now_ns)
        assert rig.controller.command(rig.now_ns) is None, "the arm moves at half a metre a second"


def test_it_waits_for_an_arm_that_moves_and_gives_up_after_a_second() -> None:
    rig = rig_of()
    rig.controller.enable(True, rig.now_ns)
    for count in range(100):
        rig.pose = pose_of((0.45 + 0.003 * (count % 60), 0.0, 0.2))
        assert rig.tick() is None
        if count == 50:
            status = rig.controller.status(rig.now_ns)
            assert not status.needs_enable
            assert any("the arm is moving" in reason for reason in status.reasons)
    rig.run(0.2)
    assert rig.controller.status(rig.now_ns).needs_enable


def test_a_report_that_is_not_a_state_is_held_at_once() -> None:
    rig = moving_rig()
    rig.controller.robot_unusable("joint_states has no joint 'gripper'", rig.now_ns)
    rig.tick()
    assert "joint_states has no joint 'gripper'" in last(rig).reasons
    rig.run(0.3)
    assert not last(rig).holding, last(rig).reasons


def test_a_fault_of_the_reports_as_a_whole_holds_until_it_ends() -> None:
    rig = moving_rig()
    rig.controller.arm_fault("two publishers of tool_pose: /a, /b")
    rig.tick()
    assert last(rig).reasons == ("two publishers of tool_pose: /a, /b",)
    rig.run(0.3)
    np.testing.assert_array_equal(last(rig).twist, 0.0)
    rig.controller.arm_fault("")
    rig.run(0.3)
    assert not last(rig).holding


URDF = """<robot name="two">
  <link name="base"/><link name="upper"/><link name="tool"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0.4 0 0.2" rpy="3.141592653589793 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="lift" type="prismatic"><parent link="upper"/><child link="tool"/>
    <origin xyz="0.05 0 0"/><axis xyz="0 0 2"/></joint>
</robot>"""


def test_joints_and_tool_pose_must_agree_where_the_arm_is_described() -> None:
    kinematics = read_chain(URDF, base_link="base", tool_link="tool")
    rig = rig_of()
    rig.controller.describe_arm(kinematics)

    def state(pose: np.ndarray):
        rig.now_ns += 10 * MS
        known = robot_of(pose, rig.now_ns)
        names = ("shoulder", "lift", *"cdefg")
        return type(known)(**{**vars(known), "joint_names": names})

    assert rig.controller.robot(state(pose_of((0.45, 0, 0.2))), rig.now_ns) is None
    refused = rig.controller.robot(state(pose_of((0.45, 0.06, 0.2))), rig.now_ns)
    assert refused is not None
    assert "0.06 m and 0 rad from forward kinematics of the joints" in refused.reason
    refused = rig.controller.robot(robot_of(pose_of((0.45, 0, 0.2)), rig.now_ns + MS), rig.now_ns)
    assert refused is not None
    assert "lacks 'shoulder, lift' of robot_description" in refused.reason


def test_kinematics_are_those_of_the_description() -> None:
    kinematics = read_chain(URDF, base_link="base", tool_link="tool")
    assert kinematics.joint_names == ("shoulder", "lift")
    pose = kinematics.base_from_tool({"shoulder": np.pi / 2, "lift": 0.1})
    assert pose is not None
    # Turned over: a quarter to the right as seen from above, and down by the lift.
    np.testing.assert_allclose(pose[:3, 3], [0.4, -0.05, 0.1], atol=1e-12)
    assert kinematics.base_from_tool({"shoulder": 0.0}) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<robot", "not a URDF"),
        ('<!DOCTYPE r [<!ENTITY a "b">]><robot/>', "document type"),
        ("<robot/>", "no chain of joints from 'base' to 'tool'"),
        (URDF.replace("0 0 2", "0 0 0"), "axis 0 0 0"),
        (URDF.replace("0.05 0 0", "nan 0 0"), "three finite numbers"),
        (URDF.replace('<parent link="base"/>', '<parent link="tool"/>'), "no chain of joints"),
    ],
)
def test_a_description_that_is_of_no_use_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_chain(text, base_link="base", tool_link="tool")
