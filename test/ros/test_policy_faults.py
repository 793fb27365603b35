"""Faults in the running graph, over real DDS: it holds at once, says why, and recovers by itself.

A hold repeats the last pose. How soon it begins is judged by the stream's own stamps: from the
moment at which the watchdog's limit is passed, two periods at most have commands that go on.
"""

from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from held_stream import NS, Followed, assert_still, positions
from policy_rig import (
    Surroundings,
    going,
    perception_process,
    policy_node,
    policy_rig,
    served,
    surroundings,
)
from psutil import Process
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

pytestmark = pytest.mark.ros

PERIOD_S = 0.01
# A period at full speed, and what is late.
MOST_STEP_M = 0.02


def test_frames_that_stop_hold_and_frames_that_come_back_go_on(native_bundle: Path) -> None:
    with policy_rig(native_bundle, watchdog__perception_s=0.3) as around:
        going(around)
        followed = Followed(around)
        around.wait_for(followed.ages_s)
        around.frames = False
        held = around.wait_until_held_for("perception is", "s old")
        assert_still(around, held)
        assert max(followed.ages_s()) <= 0.3 + 2 * PERIOD_S
        around.wait_until_said("commands", "holding", "perception is")
        around.frames = True
        around.wait_until_moving()


def test_a_picture_that_stands_still_holds_though_stamps_go_on(native_bundle: Path) -> None:
    with policy_rig(native_bundle, watchdog__perception_s=0.3) as around:
        going(around)
        around.frozen = True
        held = around.wait_until_held_for("the camera's picture has not changed for")
        assert_still(around, held)
        around.wait_until_said("commands", "holding", "picture has not changed")
        around.frozen = False
        around.wait_until_moving()


def test_actions_that_are_not_numbers_hold(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        around.instruct("go mad")
        held = around.wait_until_held_for("finite")
        assert_still(around, held)
        assert sum(held["interventions"].values()) > 0
        around.wait_until_said("commands", "holding", "finite")
        around.instruct("to the cube")
        around.wait_until_moving()
    _, at_m = positions(around)
    assert np.isfinite(at_m).all()


def test_a_lost_heartbeat_holds_and_one_that_comes_back_goes_on(native_bundle: Path) -> None:
    with policy_rig(native_bundle, watchdog__heartbeat_s=0.3) as around:
        around.instruct("to the cube")
        around.enable()
        around.wait_until_held_for("no heartbeat yet")
        around.heart_beats = True
        around.wait_until_moving()
        around.heart_beats = False
        held = around.wait_until_held_for("no heartbeat for")
        assert_still(around, held)
        around.wait_until_said("commands", "holding", "no heartbeat for")
        around.heart_beats = True
        around.wait_until_moving()


def test_enable_withdrawn_ends_the_stream_within_two_periods(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        assert around.enable(False).success
        answered_ns = around.node.get_clock().now().nanoseconds
        around.wait_for_status(enabled=False)
        assert_stream_ended(around, answered_ns)
        going(around)


def assert_stream_ended(around: Surroundings, since_ns: int) -> None:
    sleep(0.2)
    later = [stamp for stamp in around.stamps_ns() if stamp > since_ns]
    assert len(later) <= 2


def largest_step_m(around: Surroundings, since: int = 0) -> float:
    _, at_m = positions(around)
    return float(np.linalg.norm(np.diff(at_m[since:], axis=0), axis=1).max())


def test_a_robot_controller_that_restarts_elsewhere_waits_to_be_enabled_anew(
    native_bundle: Path,
) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        around.arm.silent = True
        held = around.wait_until_held_for("state of the robot is", "s old")
        around.wait_until_said("commands", "holding", "state of the robot")
        assert_still(around, held)
        moved_m = around.arm.position_m + np.array([-0.1, 0.12, 0.1])
        around.arm.base_from_tool = around.arm.base_from_tool.copy()
        around.arm.base_from_tool[:3, 3] = moved_m
        around.arm.silent = False
        around.wait_for_status(needs_enable=True, holding=True)
        around.wait_until_said("commands", "holding", "call ~/enable again")
        assert largest_step_m(around) < MOST_STEP_M
        before = len(around.arm.commands)
        around.enable()
        around.wait_until_moving()
        # One new beginning, at the arm; from there on no step is larger than the limits allow.
        _, at_m = positions(around)
        is_there = np.linalg.norm(at_m[before:] - moved_m, axis=1) < 0.03
        assert is_there.any()
        begun = before + int(is_there.argmax())
        # Until the service is served it holds where it was.
        np.testing.assert_allclose(
            at_m[before:begun], at_m[[before] * (begun - before)], atol=1e-3
        )
        assert largest_step_m(around, begun) < MOST_STEP_M


def test_a_driver_that_reports_the_identity_moves_nothing(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        true = around.arm.base_from_tool
        around.arm.silent = True
        around.wait_until_held_for("state of the robot is", "s old")
        around.arm.base_from_tool = np.eye(4)
        around.arm.silent = False
        held = around.wait_until_held_for("the driver has not read its encoders yet")
        assert_still(around, held)
        around.wait_until_said("inputs", "robot state refused", "its encoders")
        around.arm.base_from_tool = true
        around.wait_until_moving()
        assert largest_step_m(around) < MOST_STEP_M


def test_two_publishers_of_the_tool_pose_are_named_and_nothing_moves(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        ghost = rclpy.create_node("ghost", context=around.node.context)
        ghost.create_publisher(PoseStamped, "tool_pose", 5)
        held = around.wait_until_held_for("2 publishers of tool_pose: /ghost, /surroundings")
        assert_still(around, held)
        ghost.destroy_node()
        around.wait_until_moving()


def test_joints_may_have_publishers_apart_but_each_joint_only_one(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        other = rclpy.create_node("other", context=around.node.context)
        joints = other.create_publisher(JointState, "joint_states", 5)
        names = ["wheel"]

        def publish() -> None:
            stamp = other.get_clock().now().to_msg()
            # The arm's joints as the arm reports them: that they are reported twice is the fault.
            values = {"a": 0.1, "b": 0.2, "gripper": 1.0, "wheel": 0.5}
            positions = [values[name] for name in names]
            joints.publish(JointState(header=Header(stamp=stamp), name=names, position=positions))

        around.node.create_timer(0.02, publish, clock=Clock(clock_type=ClockType.STEADY_TIME))
        going(around)
        names[:] = ["gripper", "wheel"]
        held = around.wait_until_held_for("gripper", "reported twice on joint_states", "/other")
        assert_still(around, held)
        # The very same joints as the arm's, which differ only by the messages' numbers.
        names[:] = ["a", "b", "gripper"]
        around.wait_until_held_for("a, b, gripper", "reported twice", "/other")
        names[:] = ["wheel"]
        around.wait_until_moving()


def test_words_of_any_length_slow_nothing(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        around.instruct("x " * 250 + "x")
        around.wait_until_said("inputs", "instruction refused", "501 characters; at most 500")
        around.wait_until_held_for("no instruction")
        used_bytes = Process().memory_info().rss
        for _ in range(5):
            around.instruct("y" * 20_000_000)
        around.wait_until_said("inputs", "instruction refused", "larger than 2064 bytes")
        assert Process().memory_info().rss - used_bytes < 200_000_000
        around.instruct("to the cube")
        around.wait_until_moving()
        stamps_ns = np.array(around.stamps_ns())
        assert np.diff(stamps_ns).max() < 0.5 * NS


def test_a_policy_node_that_restarts_comes_back_disabled(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        going(around)
        node = around.policy
        node.trigger_deactivate()
        stopped_ns = around.node.get_clock().now().nanoseconds
        assert_stream_ended(around, stopped_ns)
        node.trigger_activate()
        around.wait_for_status(enabled=False, instruction="to the cube")
        around.enable()
        around.wait_until_moving()


def test_a_perception_process_that_is_killed_holds_and_a_new_one_goes_on(
    native_bundle: Path,
) -> None:
    def nodes(context: Context) -> list[Any]:
        return [policy_node(context, watchdog__perception_s=0.4)]

    with surroundings() as around, served(nodes):
        around.wait_for(lambda: around.spec and around.statuses)
        with perception_process(native_bundle) as process:
            going(around)
            killed_s = monotonic()
            process.kill()
            held = around.wait_until_held_for("perception is", "s old")
            assert monotonic() - killed_s > 0.3
            assert_still(around, held)
        around.wait_until_said("inputs", "objects: no publisher on /perception/objects/json")
        with perception_process(native_bundle):
            around.wait_until_moving()


def test_a_clock_that_jumps_back_holds_and_goes_on_in_the_new_time(native_bundle: Path) -> None:
    with policy_rig(native_bundle, clock=True) as around:
        going(around)
        before_ns = around.stamps_ns()[-1]
        around.clock_shift_ns = -3600 * NS
        around.wait_for(lambda: any("clock" in s["interventions"] for s in around.statuses[-5:]))
        around.wait_until_moving()
        assert around.stamps_ns()[-1] < before_ns
        assert around.latest_value("commands", "intervened: clock") >= 1
        around.clock_shift_ns = 0
        around.wait_until_moving()
    _, at_m = positions(around)
    assert np.linalg.norm(np.diff(at_m, axis=0), axis=1).max() < 0.05
