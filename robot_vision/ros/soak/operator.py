"""The operator of a soak: gives tasks, enables, and carries on after every fault."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.ros.soak.watch import Watch
from robot_vision.ros.tools.operator import Operator
from robot_vision.soak.fault import Fault
from robot_vision.soak.ledger import Ledger

# The policy's own reasons to hold: the loop is sound, but the task is unclear or done.
_OWN_REASONS = (
    "nothing in view matches",
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
    """Waits by calling `spin`, so that all checks go on meanwhile.

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
    def _status(self) -> PolicyStatus:
        return self._operator.seen.status

    def next_task(self) -> None:
        """Give another table with its instruction, and enable."""
        self._task_s, self._held_since_s = monotonic(), None
        self.scenes += 1
        self._ask("new scene", self._operator.new_scene)
        self._wait_for_rest(self._watch.now_ns())
        self._operator.instruct(self._operator.task.instruction)
        self.enable()

    def enable(self) -> None:
        """Let the arm move."""
        self._enabled_s = monotonic()
        self._watch.enables()
        self._ask("enable", lambda: self._operator.enable(True))
        self._watch.enabled()

    def _wait_for_rest(self, since_ns: int) -> None:
        """A person would not enable an arm that is being moved."""
        until_s = monotonic() + _REST_S
        while not self._rests(since_ns) and monotonic() < until_s:
            self._spin(_STEP_S)

    def keep_task(self) -> None:
        """Between faults: another task when this one is done, too slow or stuck."""
        if not self._status.holding:
            self._held_since_s = None
        elif self._held_since_s is None:
            self._held_since_s = monotonic()
        held_s = monotonic() - (self._held_since_s or monotonic())
        is_done = self._operator.task.success
        if is_done or held_s > 2.0 or monotonic() - self._task_s > self._config.task_s:
            self.next_task()

    def follow(self) -> None:
        """Wait until commands follow the policy; try other scenes if they do not."""
        for _ in range(_TRIES):
            until_s = monotonic() + _FOLLOW_S
            while monotonic() < until_s:
                if self._status.follows:
                    return
                self._enable_if_asked()
                self._spin(_STEP_S)
            self.next_task()

    def recover(self, fault: Fault, end_ns: int) -> Recovery:
        """Wait until commands follow again after a fault, without restarting anything."""
        enabled_again = needed = False
        recovered_s: float | None = None
        begin_s = monotonic()
        while monotonic() - begin_s < self._config.recover_s:
            needed |= self._status.needs_enable
            if self._is_of_after(end_ns):
                if self._status.follows or self._holds_for_own_reasons():
                    recovered_s = round(monotonic() - begin_s, 2)
                    break
                enabled_again |= self._enable_if_asked()
            self._spin(_STEP_S)
        if needed and not fault.may_need_enable:
            reasons = "; ".join(self._status.reasons)
            self._ledger.check("enable required", False, f"{fault.name}: {reasons}")
        else:
            self._ledger.check("enable required", True)
        words = f"{fault.name}: after {self._config.recover_s:g} s it still holds: "
        words += "; ".join(self._status.reasons)
        if not self._ledger.check("recovers", recovered_s is not None, words):
            self.next_task()
        return Recovery(
            recovered_s=recovered_s,
            enabled_again=enabled_again,
            new_scene=recovered_s is None,
        )

    def _is_of_after(self, end_ns: int) -> bool:
        return seconds_between(end_ns, self._status.stamp_ns) > 0

    def _holds_for_own_reasons(self) -> bool:
        reasons = self._status.reasons
        return bool(self._status.enabled and reasons) and all(
            reason.startswith(_OWN_REASONS) for reason in reasons
        )

    def _enable_if_asked(self) -> bool:
        """Enable at most once a second where the policy needs it; returns whether it did."""
        wanted = self._status.needs_enable or not self._status.enabled
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
