"""Summarises outcomes: success rates with intervals, and explanatory figures."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from robot_vision.rollouts.evaluating.outcome import Outcome

_Z = 1.96  # of 95 % confidence


def sum_up(outcomes: list[Outcome]) -> dict[str, Any]:
    """Summary of one condition: success rates by kind, objects seen and touched, and motion."""
    kinds = sorted({o.kind for o in outcomes})
    jumps = [o.jump for o in outcomes if o.jump is not None]
    touched = [o for o in outcomes if o.first_touched is not None]
    return {
        "success": _share([o.success for o in outcomes]),
        **{kind: _share([o.success for o in outcomes if o.kind == kind]) for kind in kinds},
        "named_first": _share([o.first_touched is True for o in outcomes]),
        "named_of_touched": _share([bool(o.first_touched) for o in touched]),
        "seen": _mean([o.seen for o in outcomes]),
        "pointed": _mean([o.pointed for o in outcomes]),
        "starved": sum(o.starved for o in outcomes),
        "jump_median": round(float(np.median(jumps)), 3) if jumps else None,
        "jump_p95": round(float(np.quantile(jumps, 0.95)), 3) if jumps else None,
        "time_s": round(float(np.mean([o.time_s for o in outcomes])), 2),
        "commands": sum(o.commands for o in outcomes),
        "joint_violations": _total([o.joint_violations for o in outcomes]),
    }


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = successes / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - float(half)), min(1.0, middle + float(half))


def paired(
    first: Mapping[Any, Outcome], second: Mapping[Any, Outcome]
) -> dict[str, float | int | None]:
    """How much more often `second` succeeds than `first` in the same episodes, matched by key.

    The interval (95 %) is Tango's score interval of paired shares (Tango 1998, Statistics in
    Medicine 17, 891 to 908); None without a pair.
    """
    both = sorted(first.keys() & second.keys())
    gained = sum(second[key].success and not first[key].success for key in both)
    lost = sum(first[key].success and not second[key].success for key in both)
    low, high = tango(gained, lost, len(both)) if both else (None, None)
    difference = (gained - lost) / len(both) if both else None
    return {
        "n": len(both), "gained": gained, "lost": lost,
        "difference": difference, "low": low, "high": high,
    }  # fmt: skip


def tango(gained: int, lost: int, count: int) -> tuple[float, float]:
    """The interval (95 %) of (gained − lost) / count, by the ends of Tango's score test."""

    def score(difference: float) -> float:
        b = -gained - lost + (2 * count - gained + lost) * difference
        c = -lost * difference * (1 - difference)
        share = (np.sqrt(b * b - 8 * count * c) - b) / (4 * count)
        variance = count * (2 * share + difference * (1 - difference))
        return float((gained - lost - count * difference) / np.sqrt(max(variance, 1e-12)))

    observed = (gained - lost) / count
    return _crossing(score, -1.0, observed, _Z), _crossing(score, observed, 1.0, -_Z)


def _crossing(score: Callable[[float], float], low: float, high: float, level: float) -> float:
    """Where a decreasing function crosses `level`, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > level else (low, middle)
    return (low + high) / 2


def _total(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for count in counts:
        total.update(count)
    return dict(total)


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of the known values."""
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 3) if known else None


def _share(hits: list[bool]) -> dict[str, float]:
    low, high = wilson(sum(hits), len(hits))
    share = sum(hits) / len(hits) if hits else 0.0
    return {"share": round(share, 4), "low": round(low, 4), "high": round(high, 4), "n": len(hits)}
