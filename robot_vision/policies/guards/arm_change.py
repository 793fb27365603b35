"""Compares reports of the arm: how far it moved between two, and whether it can have done so."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from robot_vision.core.clock import seconds_between
from robot_vision.core.parameters.groups.arm_config import ArmConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.control.jerk_limiter import length


def jump_problem(before: RobotState, after: RobotState, config: ArmConfig) -> str:
    """Why the arm cannot have moved between two states; empty if it can."""
    passed_s = seconds_between(before.stamp_ns, after.stamp_ns)
    counted_s = min(passed_s, config.gap_s)
    moved_m, moved_rad = distance(before.base_from_tool, after.base_from_tool)
    most_m = config.max_speed_mps * counted_s + config.slack_m
    most_rad = config.max_turn_radps * counted_s + config.slack_rad
    if moved_m > most_m or moved_rad > most_rad:
        return (
            f"the tool moved by {moved_m:.3g} m and {moved_rad:.3g} rad in {passed_s:.3g} s; "
            f"expected at most {most_m:.3g} m and {most_rad:.3g} rad (arm.gap_s per gap)"
        )
    old, new = before.joint_position_rad, after.joint_position_rad
    if before.joint_names == after.joint_names and old.shape == new.shape and old.size:
        return leap_problem(abs(new - old), passed_s, config)
    return ""


def drift_problem(states: Sequence[RobotState], state: RobotState, config: ArmConfig) -> str:
    """`jump_problem` with the oldest state of the last `gap_s`, so slack counts once per gap.

    Counted per state, it would let a fast driver move at any speed.
    """
    for before in states:
        if seconds_between(before.stamp_ns, state.stamp_ns) <= config.gap_s:
            return jump_problem(before, state, config)
    return ""


def leap_problem(moved: Float[np.ndarray, " J"], passed_s: float, config: ArmConfig) -> str:
    """Which joint moved more than it can; empty if none."""
    most = config.max_joint_speed * min(passed_s, config.gap_s) + config.slack_rad
    # A continuous joint may be reported within -π to π.
    joint = float(np.minimum(moved, abs(moved - 2 * np.pi)).max())
    if not config.max_joint_speed or joint <= most:
        return ""
    return f"a joint moved by {joint:.3g} in {passed_s:.3g} s; at most {most:.3g}"


def distance(
    first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"]
) -> tuple[float, float]:
    """Distance (m) and angle (rad) between two poses."""
    cosine = (np.vdot(first[:3, :3], second[:3, :3]) - 1) / 2
    return length(first[:3, 3] - second[:3, 3]), math.acos(min(1.0, max(-1.0, cosine)))


def same_values(first: RobotState, second: RobotState) -> bool:
    """Whether two reports have the same values; stamps do not count."""
    return (
        np.array_equal(first.base_from_tool, second.base_from_tool)
        and np.array_equal(first.joint_position_rad, second.joint_position_rad)
        and first.gripper_open == second.gripper_open
    )
