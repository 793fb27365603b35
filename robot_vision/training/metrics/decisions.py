"""A policy's decisions where an expert acted, beside answers that need no policy."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

Chunks = Float32[np.ndarray, "n t a"]
OfT = TypeVar("OfT")
POSITION, ROTATION, GRIPPER = slice(0, 3), slice(3, 6), -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisions:
    """One row per decision, in order within episodes; all in physical units.

    `predicted` and `taught` are chunks as in `core.action_spec`, of which the steps that
    are `valid` were taught. `last_action` is the expert's previous action, `hold` keeps
    arm and gripper where they are, `mean` is the mean of the training actions. `stamp_s` is of
    the observation, in its episode; `row` is its place in the data.
    """

    predicted: Chunks
    taught: Chunks
    valid: Bool[np.ndarray, "n t"]
    last_action: Float32[np.ndarray, "n a"]
    hold: Float32[np.ndarray, "n a"]
    mean: Float32[np.ndarray, "n a"]
    episode: Int64[np.ndarray, " n"]
    stamp_s: Float64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.predicted)


def joined(parts: Iterable[Decisions]) -> Decisions:
    """All of them, one after the other; at least one."""
    parts = list(parts)
    columns = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(Decisions)
    }
    return Decisions(**columns)


def trivial_answers(decisions: Decisions) -> dict[str, Decisions]:
    """The same decisions by `repeat` (the last action), `mean` and `hold`."""
    steps = decisions.taught.shape[1]
    answers: Mapping[str, np.ndarray] = {
        "repeat": decisions.last_action,
        "mean": decisions.mean,
        "hold": decisions.hold,
    }
    return {
        name: replace(decisions, predicted=np.repeat(answer[:, None], steps, axis=1))
        for name, answer in answers.items()
    }


def per_episode(decisions: Decisions, of: Callable[[Decisions], OfT]) -> list[OfT]:
    """The result of `of` for the decisions of each episode, in order."""
    found = list[OfT]()
    for episode in np.unique(decisions.episode):
        rows = decisions.episode == episode
        columns = {each.name: getattr(decisions, each.name)[rows] for each in fields(Decisions)}
        found.append(of(Decisions(**columns)))
    return found
