"""The only place that admits arm states: it checks that an arm could plausibly report them.

Some drivers publish poses before they have read an encoder, some repeat old values, and sometimes
two publish at once. States rejected here are never used as a start of commands, an observation or
a target.
"""

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
from robot_vision.policies.guards.arm_change import (
    distance,
    drift_problem,
    jump_problem,
    leap_problem,
    same_values,
)
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
        return leap_problem(np.array([abs(position - before)]), passed_s, self._config)

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
        if before is None or not same_values(before, state):
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
        jumped, config = self._jumped, self._config
        agrees = jumped and not (
            jump_problem(jumped[-1], state, config) or drift_problem(jumped, state, config)
        )
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
        config = self._config
        return jump_problem(self._newest, state, config) or drift_problem(
            self._recent, state, config
        )
