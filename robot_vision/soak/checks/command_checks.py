"""The invariants of the command stream, checked command by command, using only stamps."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core import quaternions
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.ledger import Ledger

Vector = Float64[np.ndarray, "3"]

# The service catches up at most this many periods at once, and then moves less.
_MOST_PERIODS = 3.0
# Resolution of clock readings.
_CLOCK_S = 2e-5
# Rounding of quaternions makes a tool at rest "turn" by this per interval.
_ROUNDING = 1e-9
_KEPT = 4000
_START_AFTER_ANSWER_NS = NS_PER_S // 2
# The stream was off if this many periods are missing.
_OFF_PERIODS = 5.0
_WINDOW_S = 1.0
_FOR_EVER_NS = 2**63


@dataclass(frozen=True, kw_only=True, eq=False)
class SentCommand:
    """One message of `~/command/pose`."""

    stamp_ns: int
    frame_id: str
    position_m: Vector
    quaternion: Float64[np.ndarray, "4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Motion:
    """Mean velocity between two commands, and the interval."""

    velocity: Vector
    turn: Vector
    time_s: float


class CommandChecks:
    """`true_tool` returns the tool's true pose at a stamp, if known."""

    def __init__(
        self,
        ledger: Ledger,
        policy: PolicyConfig,
        config: SoakConfig,
        *,
        base_frame: str,
        true_tool: Callable[[int], Vector | None],
    ) -> None:
        self._ledger, self._policy, self._config = ledger, policy, config
        self._base_frame, self._true_tool = base_frame, true_tool
        self._low = np.array(policy.safety.workspace_min_m, np.float64)
        self._high = np.array(policy.safety.workspace_max_m, np.float64)
        self._before: SentCommand | None = None
        self._motion: _Motion | None = None
        # When the operator last enabled, and until when a start may follow.
        self._enabled_ns = self._start_until_ns = 0
        self._gap_allowed_until_ns = 0
        self._window: tuple[int, int] | None = None
        self.recent: deque[SentCommand] = deque(maxlen=_KEPT)

    def enables(self, now_ns: int) -> None:
        """The operator calls enable: commands may restart at the tool."""
        self._enabled_ns, self._start_until_ns = now_ns, _FOR_EVER_NS
        self._window = None

    def enabled(self, now_ns: int) -> None:
        """The operator got an answer: commands must restart soon or not at all."""
        self._start_until_ns = now_ns + _START_AFTER_ANSWER_NS

    def allow_gap(self, until_ns: int) -> None:
        """No commands are expected until then."""
        self._gap_allowed_until_ns = until_ns

    def add(self, command: SentCommand) -> None:
        """Check a command against the previous ones."""
        if not self._check_alone(command):
            return
        before, self._before = self._before, command
        self.recent.append(command)
        if before is None:
            self._check_start(command)
            return
        passed_s = seconds_between(before.stamp_ns, command.stamp_ns)
        if not self._ledger.check(
            "order", passed_s > 0, f"a stamp {-passed_s:.4f} s before the previous one"
        ):
            self._motion = None
            return
        was_off = passed_s * self._policy.command_hz > _OFF_PERIODS
        if was_off and before.stamp_ns <= self._enabled_ns:
            self._check_start(command)
            return
        self._check_rate(before, command, passed_s)
        self._check_motion(before, command, passed_s)

    def _check_alone(self, command: SentCommand) -> bool:
        ledger, at = self._ledger, command.position_m
        ledger.check("frame", command.frame_id == self._base_frame, f"frame {command.frame_id!r}")
        finite = bool(np.isfinite(at).all() and np.isfinite(command.quaternion).all())
        if not ledger.check("finite", finite, f"{at.tolist()} {command.quaternion.tolist()}"):
            return False
        outside_m = float(np.maximum(self._low - at, at - self._high).max())
        ledger.check(
            "workspace",
            outside_m <= self._config.margin_m,
            f"{_point(at)} is {outside_m:.3g} m outside",
        )
        ledger.check("zeros", math.hypot(*at) >= self._config.origin_m, _point(at))
        return True

    def _check_start(self, command: SentCommand) -> None:
        """Check a command that does not continue the previous one, and need not."""
        self._start_until_ns = 0
        self._motion = None
        true = self._true_tool(command.stamp_ns)
        if true is None:
            return
        away_m = math.hypot(*(command.position_m - true))
        words = f"began at {_point(command.position_m)}, {away_m:.3g} m from the true tool"
        self._ledger.check("start", away_m <= self._config.start_m, words)

    def _check_rate(self, before: SentCommand, command: SentCommand, passed_s: float) -> None:
        began = self._enabled_ns > before.stamp_ns
        excused = before.stamp_ns <= self._gap_allowed_until_ns
        if began or excused:
            self._window = None
            return
        gap = f"{passed_s:.2f} s without a command"
        self._ledger.check("rate", passed_s <= self._config.most_gap_s, gap)
        since_ns, count = self._window or (before.stamp_ns, 0)
        window_s = seconds_between(since_ns, command.stamp_ns)
        self._window = since_ns, count + 1
        if window_s >= _WINDOW_S:
            hz = (count + 1) / window_s
            least_hz = self._config.least_command_hz
            self._ledger.check("rate", hz >= least_hz, f"{hz:.0f} commands a second")
            self._window = None

    def _check_motion(self, before: SentCommand, command: SentCommand, passed_s: float) -> None:
        ledger, safety, over = self._ledger, self._policy.safety, 1 + self._config.share
        moved = command.position_m - before.position_m
        turned = quaternions.between(before.quaternion, command.quaternion)
        speed = math.hypot(*moved) / (passed_s + _CLOCK_S)
        turn_speed = math.hypot(*turned) / (passed_s + _CLOCK_S)
        leaps = speed > over * safety.max_speed_mps or turn_speed > over * safety.max_turn_radps
        # The first motion after standing still, however small, may be the jump to the true tool.
        moves = math.hypot(*moved) > _ROUNDING or math.hypot(*turned) > _ROUNDING
        starts = leaps or (self._stood() and moves)
        if starts and command.stamp_ns < self._start_until_ns:
            self._check_start(command)
            return
        ledger.check(
            "speed",
            speed <= over * safety.max_speed_mps,
            f"{speed:.3g} m/s: {_point(before.position_m)} to {_point(command.position_m)} "
            f"in {passed_s * 1e3:.1f} ms",
        )
        words = f"{turn_speed:.3g} rad/s over {passed_s * 1e3:.1f} ms"
        ledger.check("turn speed", turn_speed <= over * safety.max_turn_radps, words)
        late = passed_s > _MOST_PERIODS / self._policy.command_hz
        motion = _Motion(velocity=moved / passed_s, turn=turned / passed_s, time_s=passed_s)
        if self._motion is not None and not leaps and not late:
            self._check_change(self._motion, motion, command.stamp_ns)
        self._motion = None if leaps or late else motion

    def _stood(self) -> bool:
        motion = self._motion
        if motion is None:
            return False
        fastest = max(math.hypot(*motion.velocity), math.hypot(*motion.turn))
        return fastest * motion.time_s <= _ROUNDING

    def _check_change(self, before: _Motion, after: _Motion, stamp_ns: int) -> None:
        """Mean velocities of two neighbouring intervals apply at their midpoints."""
        safety, over = self._policy.safety, 1 + self._config.share
        between_s = (before.time_s + after.time_s) / 2 + _CLOCK_S
        # Relative velocity error from the clock's resolution.
        blur = _CLOCK_S * (1 / before.time_s + 1 / after.time_s)
        for name, old, new, most in (
            ("acceleration", before.velocity, after.velocity, safety.max_acceleration_mps2),
            ("turn acceleration", before.turn, after.turn, safety.max_turn_radps2),
        ):
            change = math.hypot(*(new - old)) - blur * math.hypot(*new)
            value = change / between_s
            words = (
                f"{value:.3g}, limit {most:g}: {_point(old)} over {before.time_s * 1e3:.1f} ms, "
                f"then {_point(new)} over {after.time_s * 1e3:.1f} ms, "
                f"{seconds_between(self._enabled_ns, stamp_ns):.3f} s after it was enabled"
            )
            self._ledger.check(name, value <= over * most, words)


def _point(at: Vector) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in at.tolist()) + ")"
