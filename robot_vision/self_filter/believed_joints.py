"""Decides which joint reports are plausible, from the robot's description and earlier reports."""

import math
from collections.abc import Sequence

from robot_vision.arm.urdf import Joint, Robot
from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted

# Allowance for noise and stamps, in rad or m; as for the policy's arm (`arm.slack_rad`).
_SLACK = 0.1

Report = tuple[int, dict[str, float]]
"""A stamp, and positions by joint, in rad or m."""


class BelievedJoints:
    """Judges each report of a joint against the one before it, whether that was accepted or not.

    So a false report is refused, and so is the true one after it, which jumps back; a robot that
    was moved elsewhere is accepted from its second report on, which confirms the first.
    `max_speed` is in rad/s or m/s; 0: jumps are not checked.
    """

    def __init__(self, robot: Robot, *, max_speed: float) -> None:
        self._joints = {j.name: j for j in robot.joints.values() if j.source == j.name}
        self._max_speed = max_speed
        self._before: dict[str, tuple[int, float]] = {}
        self._doubted: dict[str, tuple[int, float]] = {}

    def refusal(self, name: str, position: float, *, stamp_ns: int) -> str:
        """Why a report is implausible; empty if plausible, and for joints of other robots."""
        joint = self._joints.get(name)
        if joint is None:
            return ""
        if beyond := _beyond(joint, position):
            return beyond
        before_ns, before = self._before.get(name, (stamp_ns, position))
        self._before[name] = stamp_ns, position
        passed_s = seconds_between(before_ns, stamp_ns)
        moved = abs(_move(joint, before, position))
        if not self._max_speed or passed_s < 0 or moved <= self._max_speed * passed_s + _SLACK:
            return ""
        self._doubted[name] = stamp_ns, position
        return (
            f"joint {quoted(name)} jumps by {moved:.3g} in {passed_s:.3g} s; expected at most "
            f"{self._max_speed:g} a second (self_filter.max_joint_speed). Do two publishers "
            "report it?"
        )

    def take(
        self, names: Sequence[str], positions: Sequence[float], *, stamp_ns: int
    ) -> tuple[list[Report], list[str]]:
        """The plausible reports of this message and the one before, oldest first; and why the
        rest were refused."""
        now, before = dict[str, float](), list[Report]()
        refused = list[str]()
        for name, position in zip(names, positions, strict=True):
            if why := self.refusal(name, float(position), stamp_ns=stamp_ns):
                refused.append(why)
                continue
            now[name] = float(position)
            if doubted := self._doubted.pop(name, None):
                before.append((doubted[0], {name: doubted[1]}))
        return [*before, (stamp_ns, now)], refused


def _beyond(joint: Joint, position: float) -> str:
    low, high = joint.limits.lower, joint.limits.upper
    if low - _SLACK <= position <= high + _SLACK:
        return ""
    return (
        f"joint {quoted(joint.name)} is at {position:.6g}; robot_description has it from {low:g} "
        f"to {high:g}. Is it in degrees, or of another robot?"
    )


def _move(joint: Joint, before: float, after: float) -> float:
    """How far a joint moved; a continuous joint by the shorter way."""
    moved = after - before
    return math.remainder(moved, 2 * math.pi) if joint.kind == "continuous" else moved
