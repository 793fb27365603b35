"""What was checked, how often, and what was violated during which fault."""

from collections import Counter
from dataclasses import dataclass, field

# Every invariant by its name, with what it says.
INVARIANTS = {
    "finite": "every number of a command is finite",
    "frame": "commands are in the base frame",
    "order": "stamps of commands go on",
    "speed": "from command to command the tool moves no faster than its limit: it never leaps",
    "acceleration": "from command to command its velocity changes no faster than its limit",
    "turn speed": "the same for turns",
    "turn acceleration": "the same for turns",
    "workspace": "no command is outside the workspace and the margin of a start",
    "zeros": "no command is at the origin of the base frame",
    "start": "commands begin at the true tool, and only after the operator enabled",
    "rate": "commands come at their rate while the policy is enabled",
    "hold reported": "where a fault must hold, the status says so in time, by stamps",
    "stands": "where a fault must hold, commands stand still in time, by stamps",
    "held stays": "while the status says that it holds, commands stand still",
    "enable asked for": "a new ~/enable is asked for only where a fault may need it",
    "recovers": "commands follow again after a fault, without restarting anything",
    "frames counted": "every frame sent is a result or counted as dropped, by cause",
    "diagnostics": "/diagnostics goes on",
    "console": "the console answers /api/state in time",
    "console hold": "the console's hold, with its token, stops the stream",
    "parameters": "parameters are taken up or refused as they should be",
    "answers": "services answer the operator",
    "lives": "no process ends",
    "memory": "no process takes more and more memory of its own",
    "segments": "no process keeps shared memory of those that are gone",
    "children": "no process has more and more children",
    "threads": "no process has more and more threads",
    "files": "no process has more and more open files",
}
_MOST_EXAMPLES = 3


@dataclass
class Violation:
    """How often an invariant was violated under one fault, when first, and in words."""

    invariant: str
    fault: str
    count: int = 0
    first_s: float = 0.0
    examples: list[str] = field(default_factory=list)


class Ledger:
    """`fault` is set to what is going on: the name of a fault, or of the last one before."""

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
        """By invariant, as `INVARIANTS` has them, then in the order in which they came."""
        order = list(INVARIANTS)
        return sorted(self._violations.values(), key=lambda v: order.index(v.invariant))

    @property
    def total(self) -> int:
        """All violations, each time counted."""
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
