"""The one place that admits arm states: a model of what an arm can plausibly report.

Drivers publish poses before they have read an encoder, repeat old values, or two of them publish
at once. What is refused here never becomes a start of commands, an observation or a target.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core import quaternions
from robot_vision.core.arm_config import ArmConfig
from robot_vision.core.clock import seconds_between
from robot_vision.core.foreign import quoted
from robot_vision.core.types import RobotState
from robot_vision.policies.jerk_limiter import length
from robot_vision.policies.watchdog import FUTURE_SLACK_S

# No tool comes nearer to the base's origin, which is where unset messages are.
_ORIGIN_M = 1e-6
# States of the arm at most that are looked at together, however fast they come.
_MOST_KEPT = 1000
# Beyond this nobody counts a joint's turns; sines of what is larger fail.
_MOST_JOINT = 1e6
# After so long a silence standing still is to be shown anew.
_SILENCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a state is not believed. `doubtful`: it may be true all the same, or end by itself.

    `late` ones say nothing new: they are dropped, and no reason to hold.
    """

    kind: Literal["implausible", "doubtful", "late"]
    reason: str


class ArmGate:
    """Admits states one by one, by those admitted before. Not locked: its owner is.

    `moves` counts how often the arm was believed to be elsewhere after a jump.
    """

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self.kinematics: Kinematics | None = None
        self.moves = 0
        self.clear()

    def clear(self) -> None:
        """Forget all states: the clock or the task begins anew."""
        self._newest: RobotState | None = None
        # Admitted in a row, as many as it takes to see whether the arm stands still.
        self._recent: deque[RobotState] = deque(maxlen=_MOST_KEPT)
        self._jumped: list[RobotState] = []
        self._refused: Refusal | None = None
        self._unchanged_since_ns = 0
        self._commanded: Float[np.ndarray, "4 4"] | None = None
        self._commanded_at_change = self._commanded

    @property
    def newest(self) -> RobotState | None:
        return self._newest

    @property
    def refusal(self) -> Refusal | None:
        """Why states are not relied on now; None after enough good ones in a row."""
        return self._refused

    def take(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Admit a state (None), or refuse it and say why."""
        reason = self._implausible(state, now_ns)
        if not reason and (late := self._late(state)):
            return late
        if reason := reason or self._inconsistent(state):
            self._jumped = []
            return self._refuse(Refusal(kind="implausible", reason=reason))
        if jump := self._jumps(state):
            return self._maybe_moved(state, Refusal(kind="doubtful", reason=jump))
        self._jumped = []
        self._admit(state)
        return None

    def unusable(self, reason: str) -> None:
        """A report came that is no state at all."""
        self._jumped = []
        self._refuse(Refusal(kind="doubtful", reason=reason))

    def joint_leaps(self, name: str, position: float, *, stamp_ns: int) -> str:
        """Why a report of one joint cannot be true beside the newest state; empty if it can."""
        newest = self._newest
        if newest is None or name not in newest.joint_names:
            return ""
        before = newest.joint_position_rad[newest.joint_names.index(name)]
        passed_s = abs(seconds_between(newest.stamp_ns, stamp_ns))
        return self._joints_leap(np.array([abs(position - before)]), passed_s)

    def steady_problem(self) -> str:
        """Why the arm is not known to stand still; empty if it does."""
        config, recent = self._config, self._recent
        if not self._suffice(recent):
            return (
                f"{len(recent)} states of the arm in a row; commands start after "
                f"{config.steady_samples} in at least {config.steady_s:g} s"
            )
        last = recent[-1]
        away = [distance(last.base_from_tool, state.base_from_tool) for state in recent]
        most_m, most_rad = max(m for m, _ in away), max(rad for _, rad in away)
        if most_m > config.steady_m or most_rad > config.steady_rad:
            return f"the arm moves ({most_m:.3g} m, {most_rad:.3g} rad in {len(recent)} states)"
        return ""

    def commanded(self, base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """What the arm was sent; see `frozen_problem`."""
        self._commanded = base_from_tool
        if self._commanded_at_change is None:
            self._commanded_at_change = base_from_tool

    def not_commanded(self) -> None:
        """No command goes out any more."""
        self._commanded = self._commanded_at_change = None

    def frozen_problem(self) -> str:
        """Words if all values stay the same, bit by bit, though commands have moved; else ''."""
        config, newest = self._config, self.newest
        if not config.frozen_s or newest is None or self._commanded is None:
            return ""
        same_s = seconds_between(self._unchanged_since_ns, newest.stamp_ns)
        if same_s <= config.frozen_s:
            return ""
        assert self._commanded_at_change is not None
        moved_m, moved_rad = distance(self._commanded_at_change, self._commanded)
        if moved_m <= config.frozen_m and moved_rad <= config.frozen_rad:
            return ""
        return (
            f"no value of the arm's state has changed for {same_s:.3g} s (at most "
            f"{config.frozen_s:g}) while commands moved by {moved_m:.3g} m, {moved_rad:.3g} rad"
        )

    def _admit(self, state: RobotState) -> None:
        before = self.newest
        if before is None or not _same_values(before, state):
            self._unchanged_since_ns = state.stamp_ns
            self._commanded_at_change = self._commanded
        recent, self._newest = self._recent, state
        if before is not None and seconds_between(before.stamp_ns, state.stamp_ns) > _SILENCE_S:
            recent.clear()
        recent.append(state)
        if self._suffice(recent):
            self._refused = None
            while len(recent) > self._config.steady_samples and self._spans(recent[1], state):
                recent.popleft()

    def _suffice(self, states: Sequence[RobotState]) -> bool:
        """Whether these are enough states, over long enough, to judge by."""
        if len(states) < self._config.steady_samples:
            return False
        return self._spans(states[0], states[-1])

    def _spans(self, first: RobotState, last: RobotState) -> bool:
        # Stamps are rounded: a nanosecond is not to decide.
        return seconds_between(first.stamp_ns, last.stamp_ns) >= self._config.steady_s - 1e-6

    def _refuse(self, refusal: Refusal) -> Refusal:
        self._refused = refusal
        self._recent.clear()
        return refusal

    def _maybe_moved(self, state: RobotState, refusal: Refusal) -> Refusal | None:
        """Believe a jump once enough states in a row agree that the arm is there."""
        jumped = self._jumped
        agrees = jumped and not (self._jump(jumped[-1], state) or self._drifts(jumped, state))
        self._jumped = [*self._jumped[-_MOST_KEPT:], state] if agrees else [state]
        if not self._suffice(self._jumped):
            return self._refuse(refusal)
        jumped, commanded = self._jumped, self._commanded
        self.clear()
        self._commanded = commanded
        for one in jumped:
            self._admit(one)
        self.moves += 1
        return None

    def _late(self, state: RobotState) -> Refusal | None:
        newest = self.newest
        if newest is None or state.stamp_ns > newest.stamp_ns:
            return None
        behind_s = seconds_between(state.stamp_ns, newest.stamp_ns)
        words = f"a state of the arm is stamped {behind_s:.3g} s before the newest one"
        return Refusal(kind="late", reason=words)

    def _implausible(self, state: RobotState, now_ns: int) -> str:
        """What no arm can report, whatever it reported before."""
        ahead_s = seconds_between(now_ns, state.stamp_ns)
        if ahead_s > FUTURE_SLACK_S:
            return f"the state of the arm is stamped {ahead_s:.3g} s in the future"
        joints, place_m = state.joint_position_rad, state.base_from_tool[:3, 3]
        if not (np.isfinite(state.gripper_open) and np.isfinite(joints).all()):
            return "the state of the arm has joints or a gripper that are not finite"
        if joints.size and abs(joints).max() > _MOST_JOINT:
            return f"a joint of the arm is at {abs(joints).max():.3g}; at most {_MOST_JOINT:g}"
        if not quaternions.is_pose(state.base_from_tool):
            return "the tool's pose is no finite rigid transform"
        farthest_m = float(abs(place_m).max())  # of one axis: a square of 1e300 overflows
        if farthest_m > self._config.reach_m:
            return (
                f"the tool is {farthest_m:.3g} m from the base along an axis; no more than "
                f"arm.reach_m = {self._config.reach_m:g} is possible"
            )
        if farthest_m < _ORIGIN_M:
            return (
                "the tool's pose is the origin of the base, as in a message that was never set: "
                "the driver has read no encoder yet"
            )
        return ""

    def _inconsistent(self, state: RobotState) -> str:
        """Whether joints and tool pose contradict each other."""
        config = self._config
        if self.kinematics is None or not (config.consistent_m and config.consistent_rad):
            return ""
        positions = dict(zip(state.joint_names, state.joint_position_rad.tolist(), strict=False))
        expected = self.kinematics.base_from_tool(positions)
        if expected is None:
            missing = [name for name in self.kinematics.joint_names if name not in positions]
            return (
                f"joint_states has no {quoted(', '.join(missing))} of robot_description; it has "
                f"{quoted(', '.join(positions) or 'none')}"
            )
        away_m, away_rad = distance(expected, state.base_from_tool)
        if away_m <= config.consistent_m and away_rad <= config.consistent_rad:
            return ""
        return (
            f"the tool's pose is {away_m:.3g} m and {away_rad:.3g} rad from where the joints put "
            f"it (at most {config.consistent_m:g} m and {config.consistent_rad:g} rad)"
        )

    def _jumps(self, state: RobotState) -> str:
        """How the state is too far from those admitted; empty if it is not."""
        if self._newest is None:
            return ""
        return self._jump(self._newest, state) or self._drifts(self._recent, state)

    def _drifts(self, states: Sequence[RobotState], state: RobotState) -> str:
        """The same from the first of the last `gap_s`: slack counts once in that time.

        With every state of a fast driver it would let it move at any speed.
        """
        for before in states:
            if seconds_between(before.stamp_ns, state.stamp_ns) <= self._config.gap_s:
                return self._jump(before, state)
        return ""

    def _jump(self, before: RobotState, after: RobotState) -> str:
        """How the move between two states is more than the arm can do; empty if it is not."""
        config = self._config
        passed_s = seconds_between(before.stamp_ns, after.stamp_ns)
        counted_s = min(passed_s, config.gap_s)
        moved_m, moved_rad = distance(before.base_from_tool, after.base_from_tool)
        most_m = config.max_speed_mps * counted_s + config.slack_m
        most_rad = config.max_turn_radps * counted_s + config.slack_rad
        if moved_m > most_m or moved_rad > most_rad:
            return (
                f"the tool moved by {moved_m:.3g} m and {moved_rad:.3g} rad in {passed_s:.3g} s; "
                f"the arm can do {most_m:.3g} m and {most_rad:.3g} rad"
            )
        old, new = before.joint_position_rad, after.joint_position_rad
        if before.joint_names == after.joint_names and old.shape == new.shape and old.size:
            return self._joints_leap(abs(new - old), passed_s)
        return ""

    def _joints_leap(self, moved: Float[np.ndarray, " J"], passed_s: float) -> str:
        """How joints moved by more than they can; empty if they did not."""
        config = self._config
        most = config.max_joint_speed * min(passed_s, config.gap_s) + config.slack_rad
        # A joint that turns for ever may be reported from -π to π.
        joint = float(np.minimum(moved, abs(moved - 2 * np.pi)).max())
        if not config.max_joint_speed or joint <= most:
            return ""
        return f"a joint moved by {joint:.3g} in {passed_s:.3g} s; at most {most:.3g}"


def distance(
    first: Float[np.ndarray, "4 4"], second: Float[np.ndarray, "4 4"]
) -> tuple[float, float]:
    """Distance (m) and turn (rad) between two poses."""
    cosine = (np.vdot(first[:3, :3], second[:3, :3]) - 1) / 2
    return length(first[:3, 3] - second[:3, 3]), math.acos(min(1.0, max(-1.0, cosine)))


def _same_values(first: RobotState, second: RobotState) -> bool:
    return (
        np.array_equal(first.base_from_tool, second.base_from_tool)
        and np.array_equal(first.joint_position_rad, second.joint_position_rad)
        and first.gripper_open == second.gripper_open
    )
