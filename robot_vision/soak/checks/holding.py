"""Whether the arm held when it had to: judged by stamps of statuses and commands, never by
arrival."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.soak.checks.command_checks import SentCommand, Vector
from robot_vision.soak.fault import Fault
from robot_vision.soak.ledger import Ledger

Verdict = Literal["held", "not held", "no hold required", "too short to judge"]


def braking_s(policy: PolicyConfig) -> float:
    """Longest braking time: from top speed, including the jerk window."""
    safety = policy.safety
    window_s = 2 * safety.max_acceleration_mps2 / safety.max_jerk_mps3
    return safety.max_speed_mps / safety.max_acceleration_mps2 + window_s


class HoldJudge:
    """Judges faults after they ended, from recorded messages."""

    def __init__(self, ledger: Ledger, policy: PolicyConfig, config: SoakConfig) -> None:
        self._ledger, self._config = ledger, config
        self._period_s = 1 / policy.command_hz
        self._braking_s = braking_s(policy)

    def judge(
        self,
        fault: Fault,
        *,
        begin_ns: int,
        end_ns: int,
        commands: Sequence[SentCommand],
        statuses: Sequence[PolicyStatus],
    ) -> Verdict:
        """Between the first message that a fault changed and its end."""
        if not fault.must_hold:
            return "no hold required"
        began_ns = _travelled_ns(commands, begin_ns, fault.travel_m)
        if began_ns is None:
            return "no hold required"
        slack_s = 2 * self._period_s + self._config.transport_s
        hold_ns = began_ns + _ns(fault.known_after_s + slack_s)
        stand_ns = hold_ns + _ns(self._braking_s)
        end_ns = min(end_ns, begin_ns + _ns(fault.judged_s))
        due = [s for s in statuses if hold_ns <= s.stamp_ns <= end_ns and s.enabled]
        standing = [c for c in commands if stand_ns <= c.stamp_ns <= end_ns]
        if not due and len(standing) < 2:
            return "too short to judge"
        following = [s for s in due if not s.holding]
        held = not following
        if due:
            last_s = seconds_between(began_ns, following[-1].stamp_ns) if following else 0.0
            words = f"{fault.name}: still follows {last_s:.2f} s after it should have noticed"
            self._ledger.check("hold reported", held, words)
        if len(standing) > 1:
            places = np.array([c.position_m for c in standing])
            moved_m = math.hypot(*np.ptp(places, axis=0))
            words = f"{fault.name}: commands travel {moved_m:.3g} m instead of standing still"
            held &= self._ledger.check("stands", moved_m <= self._config.still_m, words)
        return "held" if held else "not held"


def _travelled_ns(commands: Sequence[SentCommand], since_ns: int, travel_m: float) -> int | None:
    """When commands had moved this far from their start; None if never."""
    if not travel_m:
        return since_ns
    after = [c for c in commands if c.stamp_ns >= since_ns]
    for command in after:
        if math.hypot(*(command.position_m - after[0].position_m)) > travel_m:
            return command.stamp_ns
    return None


class HeldStays:
    """While statuses report a hold, and after time to brake, commands must stay."""

    def __init__(self, ledger: Ledger, policy: PolicyConfig, config: SoakConfig) -> None:
        self._ledger, self._config = ledger, config
        slack_s = 2 / policy.command_hz + config.transport_s
        self._braking_ns = _ns(braking_s(policy) + slack_s)
        self._since_ns: int | None = None
        self._anchor: Vector | None = None
        self._waiting: list[SentCommand] = []

    def add(self, command: SentCommand) -> None:
        """A command; it is judged by the next status."""
        self._waiting.append(command)

    def said(self, status: PolicyStatus, *, followed: bool) -> None:
        """A status; `followed` if any command followed a decision since the one before."""
        waiting, self._waiting = self._waiting, []
        if followed or not (status.enabled and status.holding):
            self.moves()
            return
        if self._since_ns is None:
            self._since_ns = status.stamp_ns
        since_ns = self._since_ns + self._braking_ns
        for command in waiting:
            if since_ns <= command.stamp_ns <= status.stamp_ns:
                self._check(command, status)

    def moves(self) -> None:
        """The hold has ended."""
        self._since_ns = self._anchor = None

    def _check(self, command: SentCommand, status: PolicyStatus) -> None:
        if self._anchor is None:
            self._anchor = command.position_m
        moved_m = math.hypot(*(command.position_m - self._anchor))
        words = f"{moved_m:.4g} m while it holds: {'; '.join(status.reasons)}"
        self._ledger.check("held stays", moved_m <= self._config.still_m, words)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
