"""A dataset from the view of someone who wants to train on it: its content, what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_vision.core.files.foreign import plain
from robot_vision.datasets.episode_set import EpisodeActions, EpisodeSet, EpisodeState
from robot_vision.datasets.meaning.asking.draft import asked, merged, missing_fields, whole
from robot_vision.datasets.meaning.asking.known import known_draft
from robot_vision.datasets.meaning.asking.suggest import Suggestion, filled, suggestions
from robot_vision.datasets.meaning.checking.check import check_meaning
from robot_vision.datasets.meaning.checking.finding import Finding, sampled


@dataclass(frozen=True, kw_only=True)
class ColumnStudy:
    """A column of action or state, with statistics over the episodes examined."""

    number: int
    name: str
    least: float
    low: float
    high: float
    most: float
    not_finite: int


@dataclass(frozen=True, kw_only=True)
class CameraStudy:
    name: str
    width_px: int
    height_px: int
    has_depth: bool
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Study:
    """`findings` are for the meaning if it is complete, else (`is_guess`) for what the data
    suggest."""

    episodes: int
    steps: int
    rate_hz: float
    says_rate: bool
    successes: int
    failures: int
    instructions: tuple[str, ...]
    cameras: tuple[CameraStudy, ...]
    action: tuple[ColumnStudy, ...]
    state: tuple[ColumnStudy, ...]
    draft: Mapping[str, Any]
    missing: tuple[str, ...]
    suggested: Mapping[str, Suggestion]
    findings: tuple[Finding, ...]
    is_guess: bool
    remarks: tuple[str, ...]

    @property
    def asked(self) -> list[str]:
        """Each missing field with its choices and the data's suggestion."""
        texts = {name: found.text for name, found in self.suggested.items()}
        return [asked(name, texts.get(name, "")) for name in self.missing]


def study(episodes: EpisodeSet, said: Mapping[str, Any] | None = None, *, of: str) -> Study:
    """Study a dataset, and the draft `said` of its meaning.

    Raises `DatasetError` for unreadable data, and for a meaning that contradicts itself.
    """
    draft = merged(known_draft(episodes), said or {})
    sample = sampled(episodes)
    missing = tuple(missing_fields(draft))
    suggested = suggestions(sample, draft) if missing else {}
    guess = filled(draft, suggested)
    is_guess = bool(missing)
    findings: tuple[Finding, ...] = ()
    if not missing_fields(guess):
        findings = check_meaning(episodes, whole(guess, of=of))
    marks = [episodes.success(i) for i, length in enumerate(episodes.lengths) if length]
    states = [each.state for each in sample if each.state is not None]
    return Study(
        episodes=len(episodes.lengths),
        steps=sum(episodes.lengths),
        rate_hz=episodes.fps,
        says_rate=episodes.says_rate,
        successes=sum(mark is True for mark in marks),
        failures=sum(mark is False for mark in marks),
        instructions=_instructions(episodes),
        cameras=tuple(_camera(episodes, c.name, c.has_depth) for c in episodes.cameras),
        action=_columns([each.actions for each in sample]),
        state=_columns(states),
        draft=draft,
        missing=missing,
        suggested=suggested,
        findings=findings,
        is_guess=is_guess,
        remarks=episodes.remarks,
    )


def _instructions(episodes: EpisodeSet) -> tuple[str, ...]:
    found = dict.fromkeys(
        plain(words)
        for number, length in enumerate(episodes.lengths)
        if length
        for words in episodes.instructions(number)
    )
    return tuple(found)


def _camera(episodes: EpisodeSet, name: str, has_depth: bool) -> CameraStudy:
    number = next((i for i, length in enumerate(episodes.lengths) if length), 0)
    try:
        height_px, width_px = episodes.frame(number, 0, name).rgb.shape[:2]
    except (ValueError, OSError) as error:
        return CameraStudy(
            name=name, width_px=0, height_px=0, has_depth=has_depth, fault=str(error)
        )
    return CameraStudy(name=name, width_px=width_px, height_px=height_px, has_depth=has_depth)


def _columns(numbers: list[EpisodeActions] | list[EpisodeState]) -> tuple[ColumnStudy, ...]:
    if not numbers:
        return ()
    values, names = np.concatenate([each.values for each in numbers]), numbers[0].names
    found = list[ColumnStudy]()
    for number, column in enumerate(values.T):
        finite = column[np.isfinite(column)]
        spread = np.quantile(finite, (0, 0.01, 0.99, 1)) if len(finite) else np.full(4, np.nan)
        least, low, high, most = (float(value) for value in spread)
        found.append(
            ColumnStudy(
                number=number,
                name=plain(names[number]) if names else "",
                least=least,
                low=low,
                high=high,
                most=most,
                not_finite=len(column) - len(finite),
            )
        )
    return tuple(found)
