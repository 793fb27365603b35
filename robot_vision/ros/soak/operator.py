"""The operator of a soak: gives tasks, enables, and goes on after every fault."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.soak_config import SoakConfig
from robot_vision.ros.soak.watch import Watch
from robot_vision.ros.tools.operator import Operator
from robot_vision.soak.fault import Fault
from robot_vision.soak.ledger import Ledger

# Reasons to hold that are the policy's own: the loop is sound, the task is not clear or done.
_OWN_REASONS = (
    "nothing in view is what is named",
    "making sure what is named",
    "the policy gave no action",
)
_STEP_S = 0.05
_FOLLOW_S = 4.0
_REST_S = 5.0
_TRIES = 3
_ENABLE_EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How the loop came back after a fault."""

    recovered_s: float | None
    enabled_again: bool
    new_scene: bool


class SoakOperator:
    """Spins by `spin`, so that everything is looked at meanwhile.

    `rests` says whether the true arm has stood still for a while since a stamp.
    """

    def __init__(
        self,
        operator: Operator,
        watch: Watch,
        ledger: Ledger,
        config: SoakConfig,
        *,
        spin: Callable[[float], None],
        rests: Callable[[int], bool],
    ) -> None:
        self._operator, self._watch = operator, watch
        self._ledger, self._config, self._spin = ledger, config, spin
        self._rests = rests
        self._task_s = monotonic()
        self._enabled_s = 0.0
        self._held_since_s: float | None = None
        self.scenes = 0

    @property
    def _status(self) -> dict[str, Any]:
        return self._operator.seen.status

    def next_task(self) -> None:
        """Another table, its words, and the arm may move."""
        self._task_s, self._held_since_s = monotonic(), None
        self.scenes += 1
        self._ask("new scene", self._operator.new_scene)
        self._wait_for_rest(self._watch.now_ns())
        self._operator.instruct(self._operator.seen.task["instruction"])
        self.enable()

    def enable(self) -> None:
        """Let the arm move."""
        self._enabled_s = monotonic()
        self._watch.enables()
        self._ask("enable", lambda: self._operator.enable(True))
        self._watch.enabled()

    def _wait_for_rest(self, since_ns: int) -> None:
        """Nobody enables an arm that is being put elsewhere."""
        until_s = monotonic() + _REST_S
        while not self._rests(since_ns) and monotonic() < until_s:
            self._spin(_STEP_S)

    def keep_task(self) -> None:
        """Between faults: another task when this one is done, takes too long, or goes nowhere."""
        if not self._status.get("holding", True):
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = monotonic()
        held_s = monotonic() - (self._held_since_s or monotonic())
        is_done = bool(self._operator.seen.task.get("success"))
        if is_done or held_s > 2.0 or monotonic() - self._task_s > self._config.task_s:
            self.next_task()

    def follow(self) -> None:
        """Until commands follow the policy; with other scenes if they do not in this one."""
        for _ in range(_TRIES):
            until_s = monotonic() + _FOLLOW_S
            while monotonic() < until_s:
                if self._follows():
                    return
                self._enable_if_asked()
                self._spin(_STEP_S)
            self.next_task()

    def recover(self, fault: Fault, end_ns: int) -> Recovery:
        """Until commands follow again after a fault, without restarting anything."""
        enabled_again = needed = False
        recovered_s: float | None = None
        begin_s = monotonic()
        while monotonic() - begin_s < self._config.recover_s:
            needed |= bool(self._status.get("needs_enable"))
            if self._is_of_after(end_ns):
                if self._follows() or self._holds_for_own_reasons():
                    recovered_s = round(monotonic() - begin_s, 2)
                    break
                enabled_again |= self._enable_if_asked()
            self._spin(_STEP_S)
        if needed and not fault.may_need_enable:
            reasons = "; ".join(self._status.get("reasons", ()))
            self._ledger.check("enable asked for", False, f"{fault.name}: {reasons}")
        else:
            self._ledger.check("enable asked for", True)
        words = f"{fault.name}: after {self._config.recover_s:g} s it still holds: "
        words += "; ".join(self._status.get("reasons", ()))
        if not self._ledger.check("recovers", recovered_s is not None, words):
            self.next_task()
        return Recovery(
            recovered_s=recovered_s,
            enabled_again=enabled_again,
            new_scene=recovered_s is None,
        )

    def _is_of_after(self, end_ns: int) -> bool:
        return seconds_between(end_ns, self._status.get("stamp_ns", 0)) > 0

    def _follows(self) -> bool:
        return bool(self._status.get("enabled")) and not self._status.get("holding", True)

    def _holds_for_own_reasons(self) -> bool:
        reasons = self._status.get("reasons", ())
        return bool(self._status.get("enabled") and reasons) and all(
            any(reason.startswith(own) for own in _OWN_REASONS) for reason in reasons
        )

    def _enable_if_asked(self) -> bool:
        """Enable where the policy is disabled or asks for it, once a second; whether it did."""
        wanted = self._status.get("needs_enable") or not self._status.get("enabled")
        if not wanted or monotonic() - self._enabled_s < _ENABLE_EVERY_S:
            return False
        self.enable()
        return True

    def _ask(self, what: str, ask: Callable[[], object]) -> None:
        try:
            ask()
        except RobotVisionError as error:
            self._ledger.check("answers", False, f"{what}: {error}")
        else:
            self._ledger.check("answers", True)
