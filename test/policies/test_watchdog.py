"""What the arm is led by goes missing: it holds within two periods, says why, and goes on."""

import numpy as np
import pytest
from controller_rig import (
    MS,
    TICK_S,
    Rig,
    assert_within_limits,
    decision_of,
    instruction_of,
    moving,
    pose_of,
    rig_of,
    robot_of,
)

from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.core.types import Command, Instruction
from robot_vision.policies.guards.watchdog import words_problem


def ticks_to_hold(rig: Rig, most: int = 100) -> int:
    """Commands from now until the first that holds (1: the very next)."""
    for count in range(1, most + 1):
        command = rig.tick()
        assert command is not None
        if command.holding:
            return count
    raise AssertionError(f"it did not hold within {most} commands")


def last(rig: Rig) -> Command:
    command = rig.commands[-1]
    assert command is not None
    return command


def assert_stopped_and_smooth(rig: Rig) -> None:
    """It stands where it stopped, and the whole run kept the limits."""
    commands = [command for command in rig.commands if command is not None]
    np.testing.assert_array_equal(commands[-1].twist, 0.0)
    np.testing.assert_array_equal(commands[-1].base_from_tool, commands[-2].base_from_tool)
    assert np.linalg.norm(commands[-1].base_from_tool[:3, 3]) > 0.2
    assert_smooth(rig)


def assert_smooth(rig: Rig) -> None:
    commands = [command for command in rig.commands if command is not None]
    time_s = np.arange(len(commands)) * TICK_S
    # Holds for faults brake at once, without a limit of jerk.
    poses = [c.base_from_tool for c in commands]
    assert_within_limits(poses, time_s, SafetyConfig(), jerk=False)


def assert_goes_on(rig: Rig) -> None:
    rig.run(0.5)
    assert not last(rig).holding, last(rig).reasons
    assert np.linalg.norm(last(rig).twist[:3]) > 0.01
    assert_smooth(rig)


def test_perception_that_ends_is_held_at_its_limit_and_recovered_from():
    rig = rig_of(**{"watchdog.perception_s": 0.2}).begin()
    seen_ns = last(rig).observation_stamp_ns
    rig.camera_alive = False
    ticks_to_hold(rig)
    assert 200 * MS < rig.now_ns - seen_ns <= 220 * MS
    assert "the perception is 0.21 s old (at most 0.2)" in last(rig).reasons
    rig.run(0.5)
    assert_stopped_and_smooth(rig)
    rig.camera_alive = True
    assert_goes_on(rig)
    assert rig.controller.status(rig.now_ns).interventions["perception"] == 1


def test_frames_that_stand_still_are_not_perception():
    rig = rig_of(**{"watchdog.perception_s": 0.2}).begin()
    rig.camera_alive = False
    stamp_ns, robot = rig.now_ns, robot_of(rig.pose, rig.now_ns)
    for _ in range(30):
        rig.controller.decided(decision_of(moving((0.05, 0, 0)), stamp_ns), robot, rig.now_ns)
        rig.tick()
    assert last(rig).holding
    assert rig.controller.status(rig.now_ns).interventions["untimely_decision"] == 29


def test_a_robot_that_says_nothing_is_not_moved():
    rig = rig_of().begin()
    rig.arm_alive = False
    assert ticks_to_hold(rig) == 21
    assert any("state of the robot" in reason for reason in last(rig).reasons)
    rig.run(0.5)
    rig.arm_alive = True
    assert_goes_on(rig)
    assert "restart" not in rig.controller.status(rig.now_ns).interventions


def test_an_arm_that_was_moved_meanwhile_waits_to_be_enabled_anew():
    rig = rig_of().begin()
    rig.arm_alive = rig.arm_follows = False
    rig.run(0.6)
    stood = last(rig).base_from_tool
    rig.pose = pose_of((0.3, 0.2, 0.3))
    rig.arm_alive = True
    rig.run(0.5)
    assert rig.controller.status(rig.now_ns).needs_enable
    assert last(rig).reasons[0].startswith("call ~/enable again: the arm was moved")
    np.testing.assert_array_equal(last(rig).base_from_tool, stood)
    rig.controller.enable(True, rig.now_ns)
    rig.commands.clear()
    command = rig.tick()
    assert command is not None
    np.testing.assert_allclose(command.base_from_tool, rig.pose, atol=1e-12)
    rig.arm_follows = True
    assert_goes_on(rig)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_hold_at_once(bad):
    rig = rig_of().begin()
    action = moving((0.05, 0, 0))
    action[7, 2] = bad
    rig.decide = lambda _: action
    rig.run(0.04)
    assert ticks_to_hold(rig) <= 2
    assert any("not finite" in reason for reason in last(rig).reasons)
    rig.run(0.6)
    assert_stopped_and_smooth(rig)
    rig.decide = lambda _: moving((0.05, 0, 0))
    assert_goes_on(rig)


def test_a_policy_that_holds_is_followed_in_this_too():
    rig = rig_of().begin()
    rig.camera_alive = False
    robot = robot_of(rig.pose, rig.now_ns)
    hold = decision_of(None, rig.now_ns, hold_reason="no red cube in view")
    rig.controller.decided(hold, robot, rig.now_ns)
    assert ticks_to_hold(rig) == 1
    assert last(rig).reasons == ("no red cube in view",)
    assert [one.limit for one in last(rig).interventions] == ["policy"]
    rig.camera_alive = True
    assert_goes_on(rig)


def test_without_a_heartbeat_the_arm_holds():
    rig = rig_of(**{"watchdog.heartbeat_s": 0.1})
    rig.controller.instruct(instruction_of(), rig.now_ns)
    rig.controller.enable(True, rig.now_ns)
    rig.run(0.3)
    assert last(rig).reasons == ("no heartbeat yet",)
    for _ in range(30):
        rig.controller.heartbeat(rig.now_ns)
        rig.tick()
    assert not last(rig).holding
    assert ticks_to_hold(rig) <= 11
    assert "no heartbeat for 0.11 s (at most 0.1)" in last(rig).reasons
    rig.run(0.5)
    assert_stopped_and_smooth(rig)


def test_words_that_cannot_be_followed_hold_at_once():
    rig = rig_of().begin()
    rig.controller.instruct(instruction_of("fetch the grue", "unknown word: grue"), rig.now_ns)
    assert ticks_to_hold(rig) == 1
    assert "unknown word: grue" in last(rig).reasons
    rig.controller.instruct(None, rig.now_ns)
    rig.tick()
    assert "no instruction" in last(rig).reasons
    rig.controller.instruct(instruction_of(), rig.now_ns)
    assert_goes_on(rig)


@pytest.mark.parametrize("instruction", [None, instruction_of("fetch the grue", "unknown: grue")])
def test_words_that_no_policy_decides_on_are_one_reason(instruction: Instruction | None):
    rig = rig_of().begin()
    rig.camera_alive = False
    rig.controller.instruct(instruction, rig.now_ns)
    problem = words_problem(instruction)
    for hold_reason in (problem, "camera wrist has shown nothing yet"):
        rig.tick()
        robot = robot_of(rig.pose, rig.now_ns)
        held = decision_of(None, rig.now_ns, hold_reason=hold_reason)
        rig.controller.decided(held, robot, rig.now_ns)
        rig.tick()
        assert last(rig).reasons == tuple(dict.fromkeys((problem, hold_reason)))


@pytest.mark.parametrize("back_s", [0.05, 3.0, 5000.0])
def test_a_clock_that_goes_back_holds_until_all_is_seen_anew(back_s):
    rig = rig_of().begin()
    rig.now_ns -= round(back_s * 1e9)
    assert ticks_to_hold(rig) == 1
    assert any("the clock went back by" in reason for reason in last(rig).reasons)
    assert_goes_on(rig)


def test_a_clock_that_leaps_ahead_holds_until_all_is_seen_anew():
    rig = rig_of().begin()
    rig.now_ns += 10**12
    assert ticks_to_hold(rig) == 1
    assert_goes_on(rig)


def test_a_decision_from_the_future_does_not_shut_out_those_of_now():
    rig = rig_of().begin()
    future_ns = rig.now_ns + 3600 * 10**9
    robot = robot_of(rig.pose, rig.now_ns)
    refused = rig.controller.decided(decision_of(moving(), future_ns), robot, rig.now_ns)
    assert refused.refused == "the decision is stamped in the future"
    assert_goes_on(rig)


def test_an_arm_that_is_blocked_is_not_pulled_on_but_waited_for():
    rig = rig_of(**{"watchdog.tracking_m": 0.03, "arm.frozen_s": 0.0})
    rig.decide = lambda _: moving((0.3, 0, 0))
    rig.begin()
    rig.arm_follows = False
    stuck_m = rig.pose[:3, 3]
    ticks_to_hold(rig)
    assert any("commanded pose (at most 0.03 m" in r for r in last(rig).reasons)
    rig.run(0.16)
    stood_m = last(rig).base_from_tool[:3, 3]
    assert np.linalg.norm(stood_m - stuck_m) < 0.1
    for _ in range(50):
        rig.tick()
        np.testing.assert_array_equal(last(rig).base_from_tool[:3, 3], stood_m)
    assert_smooth(rig)
    rig.pose = last(rig).base_from_tool
    rig.arm_follows = True
    rig.decide = lambda _: moving((0.05, 0, 0))
    rig.run(0.3)
    assert_goes_on(rig)


@pytest.mark.parametrize("values", [{}, {"arm.frozen_s": 0.0}], ids=["frozen", "tracking"])
def test_an_arm_that_stays_blocked_is_let_go_by_a_new_enable(values):
    rig = rig_of(**values)
    rig.decide = lambda _: moving((0.3, 0, 0))
    rig.begin()
    rig.arm_follows = False
    rig.run(2.0)
    assert rig.controller.status(rig.now_ns).needs_enable
    assert any("the arm does not follow" in reason for reason in last(rig).reasons)
    rig.controller.enable(True, rig.now_ns)
    command = rig.tick()
    assert command is not None
    np.testing.assert_allclose(command.base_from_tool, rig.pose, atol=1e-12)


def test_checks_that_are_switched_off_do_not_hold():
    off = {f"watchdog.{name}": 0.0 for name in ("robot_state_s", "tracking_m", "tracking_rad")}
    off["arm.frozen_s"] = 0.0
    rig = rig_of(**off).begin()
    rig.arm_follows = False
    rig.run(1.0)
    assert not last(rig).holding
