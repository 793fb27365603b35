"""Recommends one of the measured models, with reasons; or none if none fits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.model_store.measured import GardenRow

PERMISSIVE = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a model must do, and its constraints. `licences` is empty if any will do."""

    asked: str
    budget_ms: float
    device: str
    licences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The model to take, None if none fits; `reasons` has a line for each candidate.

    `summary` says why it was chosen, or which constraint would have to be relaxed.
    """

    taken: GardenRow | None
    summary: str
    reasons: tuple[tuple[GardenRow, str], ...]


def asked_of(rows: Sequence[GardenRow], task: str) -> str:
    """The table's name of a task, such as `detection`; raises `ConfigError`."""
    names = {_slug(row.asked): row.asked for row in rows}
    if _slug(task) not in names:
        known = ", ".join(names) or "none"
        raise ConfigError(f"no model of the table was measured in {task!r}; it has: {known}")
    return names[_slug(task)]


def licences_of(text: str) -> tuple[str, ...]:
    """Licences from `Apache-2.0,MIT`; `permissive` stands for the usual ones, empty for any."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found: list[str] = []
    for part in parts:
        found += PERMISSIVE if part.lower() == "permissive" else [part]
    return tuple(dict.fromkeys(found))


def recommend(rows: Sequence[GardenRow], wanted: Wanted) -> Advice:
    """The best that fits; of those that the data cannot distinguish from it, the fastest."""
    of_task = sorted(
        (row for row in rows if row.asked == wanted.asked), key=lambda row: -row.value
    )
    refused = {id(row): _refusal(row, wanted) for row in of_task}
    fitting = [row for row in of_task if not refused[id(row)]]
    if not fitting:
        reasons = tuple((row, refused[id(row)]) for row in of_task)
        return Advice(taken=None, summary=_nothing_fits(of_task, wanted), reasons=reasons)
    best = max(fitting, key=lambda row: row.value)
    equal = [row for row in fitting if row is best or _overlap(row, best)]
    taken = min(equal, key=lambda row: row.frame_p50_ms)
    reasons = tuple((row, refused[id(row)] or _place(row, taken, best, equal)) for row in of_task)
    return Advice(taken=taken, summary=_why(taken, best, fitting), reasons=reasons)


def _refusal(row: GardenRow, wanted: Wanted) -> str:
    """Why a model does not fit; empty if it does."""
    if wanted.licences and row.licence.lower() not in map(str.lower, wanted.licences):
        return f"its licence is {row.licence or 'unknown'}"
    if row.device != wanted.device:
        return f"measured on {row.device} alone"
    if not row.frame_p50_ms <= wanted.budget_ms:
        return f"takes {row.frame_p50_ms:.1f} ms a frame"
    surely = row.value if np.isnan(row.low) else row.low
    if surely <= row.trivial:
        return f"not clearly better than the trivial baseline ({row.trivial:.3f})"
    return ""


def _overlap(row: GardenRow, best: GardenRow) -> bool:
    """Whether the data cannot say which is better; both need confidence intervals."""
    return bool(row.high >= best.low)


def _place(row: GardenRow, taken: GardenRow, best: GardenRow, equal: Sequence[GardenRow]) -> str:
    if row is taken:
        return "recommended"
    if any(row is other for other in equal):
        return "as good, as far as the data show, and slower"
    return f"fits, but is not as good as {best.name}"


def _why(taken: GardenRow, best: GardenRow, fitting: Sequence[GardenRow]) -> str:
    figure = f"{taken.metric} {taken.value:.3f} at {taken.frame_p50_ms:.1f} ms a frame"
    if len(fitting) == 1:
        return f"{taken.name}: the only one that fits; {figure}"
    if taken is best:
        return f"{taken.name}: the best of {len(fitting)} that fit; {figure}"
    return (
        f"{taken.name}: {figure}; {best.name} has {best.value:.3f}, but the intervals overlap, so "
        "the data do not show which is better, and this one is faster"
    )


def _nothing_fits(of_task: Sequence[GardenRow], wanted: Wanted) -> str:
    """Which constraint fails, judged by the nearest model."""
    licences = ", ".join(wanted.licences) or "any licence"
    asked = f"{wanted.budget_ms:g} ms a frame on {wanted.device}, {licences}"
    at_any_speed = replace(wanted, budget_ms=np.inf)
    unhurried = [row for row in of_task if not _refusal(row, at_any_speed)]
    if unhurried:
        nearest = min(unhurried, key=lambda row: row.frame_p50_ms)
        return (
            f"nothing fits {asked}: the fastest is {nearest.name} with "
            f"{nearest.frame_p50_ms:.1f} ms ({nearest.metric} {nearest.value:.3f})"
        )
    return f"nothing fits {asked}, at any speed: see the reason for each"


def _slug(text: str) -> str:
    return text.lower().replace(" ", "-").replace("_", "-")
