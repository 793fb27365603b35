"""Whether commands may start at the arm's pose, continue, or wait until enabled again."""

import numpy as np
from jaxtyping import Float

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.guards.arm_change import distance
from robot_vision.policies.guards.arm_gate import ArmGate, Refusal
from robot_vision.policies.guards.watchdog import Hold

# Holds during which the arm's pose is uncertain.
_ARM_CAUSES = frozenset(
    {"arm_fault", "arm_frozen", "arm_state", "needs_enable", "robot_state", "start"}
)


class ArmWatch:
    """Compares admitted states with commands. Has no lock: its owner locks.

    `away` is how far (m, rad) the newest admitted state is from the last command; `is_lagging`
    says whether that exceeds the watchdog's limit. `needs_enable` says why commands continue only
    after `~/enable` is called again; empty if not needed.
    """

    def __init__(self, config: PolicyConfig) -> None:
        self._config = config
        self._gate = ArmGate(config.arm)
        self.fault = ""
        self.stop()

    def stop(self) -> None:
        """Commands end or start over: nothing is commanded, and no new enable is needed."""
        self._commanded: Float[np.ndarray, "4 4"] | None = None
        self._gate.not_commanded()
        self._moves_at_start = self._gate.moves
        self._was_lost = False
        self._waiting_since_ns: int | None = None
        self._stuck_since_ns: int | None = None
        self.needs_enable = ""
        self.away, self.is_lagging = (0.0, 0.0), False

    def forget(self) -> None:
        """The clock or the task starts over: no state is known."""
        self._gate.clear()

    def describe(self, kinematics: Kinematics | None) -> None:
        """Compare joints with tool poses from now on."""
        self._gate.kinematics = kinematics

    @property
    def moves(self) -> int:
        """How often a jump of the arm was accepted."""
        return self._gate.moves

    def take(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Admit a state (None), or reject it and return why."""
        return self._gate.take(state, now_ns)

    def unusable(self, reason: str) -> None:
        """A message arrived that is not a valid state."""
        self._gate.unusable(reason)

    def commanded(self, base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """Note the command sent to the arm."""
        self._commanded = base_from_tool
        self._gate.commanded(base_from_tool)

    def look(self, now_ns: int, *, lost: bool) -> None:
        """Compare the arm with its command; `lost` means that its state is currently unknown."""
        self._look_at_distance()
        if self.needs_enable:
            return
        if self._gate.moves != self._moves_at_start:
            self.needs_enable = "the arm was moved, or reports a different pose than before"
        elif self._commanded is None:
            self.needs_enable = self._why_not_start(now_ns)
        elif self._was_lost and not lost and self._is_far():
            self.needs_enable = (
                f"the arm was {self.away[0]:.3g} m and {self.away[1]:.3g} rad from its command "
                "when its state returned"
            )
        elif self._is_stuck(now_ns):
            self.needs_enable = "the arm does not follow; commands restart from its pose"
        self._was_lost = lost

    def holds(self) -> tuple[Hold, ...]:
        """Reasons to hold because of the arm's reported pose."""
        refusal = self._gate.refusal
        again = f"call ~/enable again: {self.needs_enable}" if self.needs_enable else ""
        problems = {
            "arm_fault": self.fault,
            "arm_state": refusal.reason if refusal else "",
            "arm_frozen": self._gate.frozen_problem(),
            "start": self._gate.steady_problem() if self._commanded is None else "",
            "needs_enable": again,
        }
        return tuple(Hold(cause=cause, reason=why) for cause, why in problems.items() if why)

    def _look_at_distance(self) -> None:
        """Track whether the measured tool is away from the commanded one."""
        robot = self._gate.newest
        if robot is None or self._commanded is None:
            self.away, self.is_lagging = (0.0, 0.0), False
            return
        self.away = away_m, away_rad = distance(self._commanded, robot.base_from_tool)
        # It ends at half the limit, for hysteresis.
        share = 0.5 if self.is_lagging else 1.0
        limits = self._config.watchdog
        self.is_lagging = (0 < limits.tracking_m * share < away_m) or (
            0 < limits.tracking_rad * share < away_rad
        )

    def _is_stuck(self, now_ns: int) -> bool:
        """Whether the arm has lagged for so long that it will not catch up by itself."""
        if not (self.is_lagging or self._gate.frozen_problem()):
            self._stuck_since_ns = None
            return False
        if self._stuck_since_ns is None:
            self._stuck_since_ns = now_ns
        stuck_s = abs(seconds_between(self._stuck_since_ns, now_ns))
        return stuck_s > self._config.arm.start_wait_s

    def _is_far(self) -> bool:
        arm, (away_m, away_rad) = self._config.arm, self.away
        return away_m > arm.restart_m or away_rad > arm.restart_rad

    def _why_not_start(self, now_ns: int) -> str:
        """Why commands cannot start at the arm's pose; empty while that may still change."""
        robot, refusal = self._gate.newest, self._gate.refusal
        if refusal is not None and refusal.kind == "implausible":
            return refusal.reason
        if robot is None:
            return ""
        if outside := self._outside(robot):
            return outside
        waiting = refusal.reason if refusal else self._gate.steady_problem()
        if not waiting:
            self._waiting_since_ns = None
            return ""
        if self._waiting_since_ns is None:
            self._waiting_since_ns = now_ns
        waited_s = abs(seconds_between(self._waiting_since_ns, now_ns))
        return waiting if waited_s > self._config.arm.start_wait_s else ""

    def _outside(self, robot: RobotState) -> str:
        """Why the tool is too far outside the workspace to start; empty if it is not."""
        safety, most_m = self._config.safety, self._config.arm.outside_m
        place_m = robot.base_from_tool[:3, 3]
        inside_m = np.clip(place_m, safety.workspace_min_m, safety.workspace_max_m)
        outside_m = float(np.abs(place_m - inside_m).max())
        if outside_m <= most_m:
            return ""
        return (
            f"the tool at {np.round(place_m, 3).tolist()} m is {outside_m:.3g} m outside the "
            f"workspace (at most {most_m:g}): move it there, or change safety.workspace_*"
        )


def about_arm(found: tuple[Hold, ...]) -> bool:
    """Whether the arm's pose is uncertain during these holds."""
    return any(hold.cause in _ARM_CAUSES for hold in found)
