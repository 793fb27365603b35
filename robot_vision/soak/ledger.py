"""Counts checks of invariants, and their violations by fault."""

from collections import Counter
from dataclasses import dataclass, field

# Every invariant by name, with its description.
INVARIANTS = {
    "finite": "every number of a command is finite",
    "frame": "commands are in the base frame",
    "order": "stamps of commands increase",
    "speed": "from command to command the tool moves no faster than its limit: it never jumps",
    "acceleration": "from command to command its velocity changes no faster than its limit",
    "turn speed": "the same for turns",
    "turn acceleration": "the same for turns",
    "workspace": "no command is outside the workspace and the margin of a start",
    "zeros": "no command is at the origin of the base frame",
    "start": "commands start at the true tool, and only after the operator enabled",
    "rate": "commands come at their rate while the policy is enabled",
    "hold reported": "if a fault requires a hold, the status reports it in time, by stamps",
    "stands": "if a fault requires a hold, commands stand still in time, by stamps",
    "held stays": "while the status reports a hold, commands stand still",
    "enable required": "a new ~/enable is required only if the fault may need it",
    "recovers": "commands resume after a fault, without restarting anything",
    "frames counted": "every frame sent is a result or counted as dropped, by cause",
    "diagnostics": "/diagnostics keeps being published",
    "console": "the console answers /api/state in time",
    "console hold": "the console's hold, with its token, stops the stream",
    "parameters": "parameters are accepted or rejected as they should be",
    "answers": "services answer the operator",
    "lives": "no process ends",
    "memory": "no process's private memory keeps growing",
    "segments": "no process keeps shared memory of processes that have ended",
    "children": "no process's number of children keeps growing",
    "threads": "no process's number of threads keeps growing",
    "files": "no process's number of open files keeps growing",
}
_MOST_EXAMPLES = 3


@dataclass
class Violation:
    """Violations of an invariant under one fault: count, first time, description."""

    invariant: str
    fault: str
    count: int = 0
    first_s: float = 0.0
    examples: list[str] = field(default_factory=list)


class Ledger:
    """`fault` is set to the name of the current fault, or of the last one."""

    def __init__(self) -> None:
        self.fault = "none"
        self.now_s = 0.0
        self.checks: Counter[str] = Counter()
        self._violations: dict[tuple[str, str], Violation] = {}

    def check(self, invariant: str, holds: bool, words: str = "") -> bool:
        """Count one check of an invariant, and a violation unless it `holds`; returns `holds`."""
        if invariant not in INVARIANTS:
            raise KeyError(f"unknown invariant {invariant!r}; known: {', '.join(INVARIANTS)}")
        self.checks[invariant] += 1
        if not holds:
            self._violate(invariant, words)
        return holds

    @property
    def violations(self) -> list[Violation]:
        """In the order of `INVARIANTS`, then of occurrence."""
        order = list(INVARIANTS)
        return sorted(self._violations.values(), key=lambda v: order.index(v.invariant))

    @property
    def total(self) -> int:
        """Total number of violations, counting repetitions."""
        return sum(violation.count for violation in self._violations.values())

    def of_fault(self, fault: str) -> dict[str, int]:
        """Violations under one fault, by invariant."""
        return {v.invariant: v.count for v in self.violations if v.fault == fault}

    def _violate(self, invariant: str, words: str) -> None:
        fresh = Violation(invariant=invariant, fault=self.fault, first_s=round(self.now_s, 2))
        violation = self._violations.setdefault((invariant, self.fault), fresh)
        violation.count += 1
        if len(violation.examples) < _MOST_EXAMPLES:
            violation.examples.append(f"{self.now_s:.1f} s: {words}")
