"""A judge's results for a bundle: metrics in every draw of pictures, and a score per picture."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from robot_vision.core.errors import BundleError
from robot_vision.core.registry import Registry
from robot_vision.model_store.store import Bundle


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """A bundle on a set.

    `resampled` has each metric in all rounds of `bootstrap.draws`, the same for every bundle.
    `pictures` is how many they draw from. `scores` says how well each picture (or crop) of `names`
    was answered, from 0 to 1; `drawn` draws one of them with truth and answer.
    """

    figures: Mapping[str, float]
    resampled: Mapping[str, Float64[np.ndarray, " rounds"]]
    pictures: int
    names: tuple[str, ...]
    scores: Float64[np.ndarray, " n"]
    drawn: Callable[[int], UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """The data for judging all bundles: a set, and how many of its pictures (0: all).

    `first` is the bundle that the others are compared with; decoded pictures are kept in `cache`.
    """

    held_out: Path
    images: int
    first: Bundle
    cache: Path


@dataclass(frozen=True, kw_only=True)
class Judge:
    """`judge` raises `ConfigError` if the set has other classes. `tasks` are of manifests."""

    tasks: tuple[str, ...]
    about: str
    judge: Callable[[Bundle, Case], Side]


JUDGES: Registry[Judge] = Registry("judge", package="robot_vision.comparing.judges")


def register_judge(judge: Judge) -> None:
    """Register a judge under the tasks that it judges."""
    for task in judge.tasks:
        JUDGES.register(task)(judge)


def judge_of(bundles: tuple[Bundle, ...]) -> Judge:
    """The judge of all bundles; raises `BundleError` if their tasks differ."""
    found: list[tuple[str, Judge]] = []
    for bundle in bundles:
        task = bundle.manifest.task
        if task not in JUDGES:
            raise BundleError(
                f"bundle {bundle.manifest.name!r} is of task {task!r}, which is not compared; "
                f"expected {', '.join(JUDGES)}"
            )
        found.append((bundle.manifest.name, JUDGES.get(task)))
    if len({judge.about for _, judge in found}) > 1:
        said = ", ".join(f"{name} ({judge.about})" for name, judge in found)
        raise BundleError(f"bundles of different tasks cannot be compared: {said}")
    return found[0][1]
