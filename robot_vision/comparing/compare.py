"""Compares bundles on the same pictures: metrics, paired differences, time, disagreements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from robot_vision.bench.models.garden_frame import frame_run
from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.comparing.judge import Case, Side, judge_of
from robot_vision.core.errors import ConfigError
from robot_vision.model_store.store import Bundle

_PERCENT = (2.5, 97.5)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value and its 95 % confidence interval; NaN where none can be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """One bundle. `difference` is from the first bundle, in the same draws of pictures."""

    name: str
    figures: dict[str, Interval]
    difference: dict[str, Interval]
    p50_ms: float
    p95_ms: float
    side: Side

    def verdict(self, figure: str) -> str:
        """Whether it is better than the first, as far as these pictures show."""
        interval = self.difference[figure]
        if np.isnan(interval.low) and interval.value != 0:
            return "not known from one picture" if self.side.pictures < 2 else "not known"
        if interval.low > 0:
            return "better"
        return "worse" if interval.high < 0 else "no clear difference"


def compare(
    bundles: Sequence[Bundle],
    held_out: Path,
    *,
    images: int,
    cache: Path,
    threads: int,
    rounds: int,
    on_bundle: Callable[[str], None] = lambda _: None,
) -> list[Compared]:
    """Judge each bundle on the set, and time them in turns on a camera's frame.

    Raises `BundleError` if their tasks differ, `ConfigError` if the set does not
    fit.
    """
    names = _names(bundles)
    judge = judge_of(tuple(bundles)).judge
    case = Case(held_out=held_out, images=images, first=bundles[0], cache=cache)
    sides = []
    for name, bundle in zip(names, bundles, strict=True):
        on_bundle(name)
        sides.append(judge(bundle, case))
    times_ms = take_turns_ms([frame_run(b, threads=threads) for b in bundles], rounds=rounds)
    return [
        _compared(name, side, sides[0], ms)
        for name, side, ms in zip(names, sides, times_ms, strict=True)
    ]


def _names(bundles: Sequence[Bundle]) -> list[str]:
    """Those of their manifests; of bundles with one name, such as two versions, their folders."""
    folders = [str(bundle.path) for bundle in bundles]
    if len(bundles) < 2 or len({bundle.path.resolve() for bundle in bundles}) < len(bundles):
        raise ConfigError(f"to compare: {', '.join(folders)}; expected two or more bundles")
    names = [bundle.manifest.name for bundle in bundles]
    return [
        name if names.count(name) == 1 else folder
        for name, folder in zip(names, folders, strict=True)
    ]


def disagreements(compared: Sequence[Compared], count: int) -> list[int]:
    """The pictures on which scores differ, those with the largest difference first."""
    scores = np.stack([one.side.scores for one in compared])
    gap = np.nan_to_num(np.ptp(scores, axis=0))
    order = np.argsort(-gap, kind="stable")[:count]
    return [int(row) for row in order if gap[row] > 0]


def _compared(name: str, side: Side, first: Side, ms: Float64[np.ndarray, " n"]) -> Compared:
    return Compared(
        name=name,
        figures={
            figure: _interval(value, side.resampled[figure], side)
            for figure, value in side.figures.items()
        },
        difference={
            figure: _interval(
                value - first.figures[figure],
                side.resampled[figure] - first.resampled[figure],
                side,
            )
            for figure, value in side.figures.items()
        },
        p50_ms=float(np.median(ms)),
        p95_ms=float(np.percentile(ms, 95)),
        side=side,
    )


def _interval(value: float, resampled: Float64[np.ndarray, " rounds"], side: Side) -> Interval:
    """One picture is the same in every draw, which says nothing of its uncertainty."""
    known = resampled[np.isfinite(resampled)]
    if not len(known) or side.pictures < 2:
        return Interval(value=value, low=np.nan, high=np.nan)
    low, high = np.percentile(known, _PERCENT)
    return Interval(value=value, low=float(low), high=float(high))
