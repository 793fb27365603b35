"""Results of a soak: everything the report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from robot_vision.soak.checks.machine import Growth, Sample
from robot_vision.soak.ledger import INVARIANTS, Ledger


@dataclass(frozen=True, kw_only=True)
class FaultRun:
    """The outcome of one fault. `recovered_s` is None if commands did not resume in time.

    `frames_lost` is the total number of unaccounted frames so far.
    """

    number: int
    name: str
    begin_s: float
    end_s: float
    verdict: str
    recovered_s: float | None
    enabled_again: bool
    new_scene: bool
    frames_lost: int | None
    violations: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Between two samples: results and commands per second, and 95th percentiles of ages:

    of results, and from the camera's stamp to the first resulting command.
    """

    at_s: float
    results_hz: float
    commands_hz: float
    result_age_p95_ms: float | None
    command_age_p95_ms: float | None


@dataclass(kw_only=True)
class Outcome:
    """Filled during the run. `ended` says why it ended."""

    seed: int
    faults: Sequence[str]
    wanted_s: float
    machine: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    ended: str = ""
    runs: list[FaultRun] = field(default_factory=list)
    rates: list[Rates] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    growth: list[Growth] = field(default_factory=list)
    frames_sent: int = 0
    frames_missing: int | None = None
    scenes: int = 0
    notes: list[str] = field(default_factory=list)


def as_json(outcome: Outcome, ledger: Ledger) -> dict[str, Any]:
    """The whole report in numbers."""
    violations = [asdict(violation) for violation in ledger.violations]
    return {
        "passed": not ledger.total,
        "violations": ledger.total,
        "invariants": {
            name: {
                "says": says,
                "checks": ledger.checks[name],
                "violations": [v for v in violations if v["invariant"] == name],
            }
            for name, says in INVARIANTS.items()
        },
        **asdict(outcome),
    }
