"""The only place that admits arm states: it checks that an arm could plausibly report them.

Some drivers publish poses before they have read an encoder, some repeat old values, and sometimes
two publish at once. States rejected here are never used as a start of commands, an observation or
a target.
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
from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.arm_config import ArmConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.control.jerk_limiter import length
from robot_vision.policies.guards.watchdog import FUTURE_SLACK_S

# No tool comes nearer to the base's origin, the pose of unset messages.
_ORIGIN_M = 1e-6
# Maximum number of arm states that are compared, at any rate.
_MOST_KEPT = 1000
# No joint counts turns beyond this; sines of larger values lose all precision.
_MOST_JOINT = 1e6
# After a gap this long, the arm must be seen to stand still again.
_SILENCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a state is rejected. `doubtful`: it may still be true, or resolve itself.

    `late` states carry no new information: they are dropped, and the arm does not hold for them.
    """

    kind: Literal["implausible", "doubtful", "late"]
    reason: str


class ArmGate:
    """Admits states one by one, given those already admitted. Has no lock: its owner locks.

    `moves` counts how often a jump of the arm was accepted.
    """

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self.kinematics: Kinematics | None = None
        self.moves = 0
        self.clear()

    def clear(self) -> None:
        """Forget all states: the clock or the task starts over."""
        self._newest: RobotState | None = None
        # Consecutively admitted states, enough to see whether the arm stands still.
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
        """Why states are not trusted now; None after enough consecutive good ones."""
        return self._refused

    def take(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Admit a state (None), or reject it and return why."""
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
        """A message arrived that is not a valid state."""
        self._jumped = []
        self._refuse(Refusal(kind="doubtful", reason=reason))

    def joint_leaps(self, name: str, position: float, *, stamp_ns: int) -> str:
        """Why a single joint's reading contradicts the newest state; empty if it does not."""
        newest = self._newest
        if newest is None or name not in newest.joint_names:
            return ""
        before = newest.joint_position_rad[newest.joint_names.index(name)]
        passed_s = abs(seconds_between(newest.stamp_ns, stamp_ns))
        return self._joints_leap(np.array([abs(position - before)]), passed_s)

    def steady_problem(self) -> str:
        """Why the arm is not known to be at rest; empty if it is."""
        config, recent = self._config, self._recent
        if not self._suffice(recent):
            return (
                f"{len(recent)} consecutive arm states so far; commands start after "
                f"{config.steady_samples} over at least {config.steady_s:g} s"
            )
        last = recent[-1]
        away = [distance(last.base_from_tool, state.base_from_tool) for state in recent]
        most_m, most_rad = max(m for m, _ in away), max(rad for _, rad in away)
        if most_m > config.steady_m or most_rad > config.steady_rad:
            return (
                f"the arm is moving ({most_m:.3g} m, {most_rad:.3g} rad in {len(recent)} states)"
            )
        return ""

    def commanded(self, base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """Note the command sent to the arm; see `frozen_problem`."""
        self._commanded = base_from_tool
        if self._commanded_at_change is None:
            self._commanded_at_change = base_from_tool

    def not_commanded(self) -> None:
        """Note that no more commands are sent."""
        self._commanded = self._commanded_at_change = None

    def frozen_problem(self) -> str:
        """A problem if all values stay identical bit for bit while commands have moved; else
        ''."""
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
        """Whether there are enough states, over a long enough time, to judge."""
        if len(states) < self._config.steady_samples:
            return False
        return self._spans(states[0], states[-1])

    def _spans(self, first: RobotState, last: RobotState) -> bool:
        # Stamps are rounded: one nanosecond must not decide.
        return seconds_between(first.stamp_ns, last.stamp_ns) >= self._config.steady_s - 1e-6

    def _refuse(self, refusal: Refusal) -> Refusal:
        self._refused = refusal
        self._recent.clear()
        return refusal

    def _maybe_moved(self, state: RobotState, refusal: Refusal) -> Refusal | None:
        """Accept a jump once enough consecutive states agree on the new pose."""
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
        words = f"an arm state is stamped {behind_s:.3g} s before the newest one"
        return Refusal(kind="late", reason=words)

    def _implausible(self, state: RobotState, now_ns: int) -> str:
        """Values that no arm can report, whatever it reported before."""
        ahead_s = seconds_between(now_ns, state.stamp_ns)
        if ahead_s > FUTURE_SLACK_S:
            return f"the arm state is stamped {ahead_s:.3g} s in the future"
        joints, place_m = state.joint_position_rad, state.base_from_tool[:3, 3]
        if not (np.isfinite(state.gripper_open) and np.isfinite(joints).all()):
            return "the arm state has joint or gripper values that are not finite"
        if joints.size and abs(joints).max() > _MOST_JOINT:
            return f"a joint of the arm is at {abs(joints).max():.3g}; at most {_MOST_JOINT:g}"
        if not quaternions.is_pose(state.base_from_tool):
            return "the tool pose is not a finite rigid transform"
        farthest_m = float(abs(place_m).max())  # per axis: the square of 1e300 overflows
        if farthest_m > self._config.reach_m:
            return (
                f"the tool is {farthest_m:.3g} m from the base along an axis; expected at most "
                f"arm.reach_m = {self._config.reach_m:g}"
            )
        if farthest_m < _ORIGIN_M:
            return (
                "the tool pose is the origin of the base, as in an unset message: the driver has "
                "not read its encoders yet"
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
                f"joint_states lacks {quoted(', '.join(missing))} of robot_description; it has "
                f"{quoted(', '.join(positions) or 'none')}"
            )
        away_m, away_rad = distance(expected, state.base_from_tool)
        if away_m <= config.consistent_m and away_rad <= config.consistent_rad:
            return ""
        return (
            f"the tool pose is {away_m:.3g} m and {away_rad:.3g} rad from forward kinematics of "
            f"the joints (at most {config.consistent_m:g} m and {config.consistent_rad:g} rad)"
        )

    def _jumps(self, state: RobotState) -> str:
        """Why the state is too far from admitted ones; empty if it is not."""
        if self._newest is None:
            return ""
        return self._jump(self._newest, state) or self._drifts(self._recent, state)

    def _drifts(self, states: Sequence[RobotState], state: RobotState) -> str:
        """The same against the oldest state of the last `gap_s`, so slack counts once per gap.

        Counted per state, it would let a fast driver move at any speed.
        """
        for before in states:
            if seconds_between(before.stamp_ns, state.stamp_ns) <= self._config.gap_s:
                return self._jump(before, state)
        return ""

    def _jump(self, before: RobotState, after: RobotState) -> str:
        """Why the arm cannot have moved between two states; empty if it can."""
        config = self._config
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
            return self._joints_leap(abs(new - old), passed_s)
        return ""

    def _joints_leap(self, moved: Float[np.ndarray, " J"], passed_s: float) -> str:
        """Which joint moved more than it can; empty if none."""
        config = self._config
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


def _same_values(first: RobotState, second: RobotState) -> bool:
    return (
        np.array_equal(first.base_from_tool, second.base_from_tool)
        and np.array_equal(first.joint_position_rad, second.joint_position_rad)
        and first.gripper_open == second.gripper_open
    )
