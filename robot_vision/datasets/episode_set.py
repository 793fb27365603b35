"""The interface of every dataset of episodes, whatever its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits
from robot_vision.core.types import Frame


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Facts that a dataset may not state itself, and limits for reading its files.

    `fps` 0 is the dataset's own; `raw_unit_m` is the unit of integer depth, `float_unit_m`
    that of float depth.
    """

    fps: float = 0.0
    raw_unit_m: float = 0.001
    float_unit_m: float = 1.0
    limits: InputLimits = DEFAULT_LIMITS


@dataclass(frozen=True, kw_only=True)
class EpisodeCamera:
    """A camera of a dataset: its name there, and whether it has depth besides colour."""

    name: str
    has_depth: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeActions:
    """The actions of an episode, a row per step; `names` is empty if the dataset has none.

    `taught` holds whole chunks of canonical actions, in sets where one agent led and another
    taught: there, rows are not consecutive.
    """

    values: Float[np.ndarray, "steps n"]
    names: tuple[str, ...]
    taught: Float32[np.ndarray, "steps t 7"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeState:
    """The observed state of the arm, a row per step; `names` is empty if the dataset has none."""

    values: Float[np.ndarray, "steps n"]
    names: tuple[str, ...]


@runtime_checkable
class EpisodeSet(Protocol):
    """Episodes of one dataset; files are opened on demand.

    Episodes and steps count from 0. All methods raise `DatasetError` for anything
    missing or damaged, with the file and what was expected.
    """

    @property
    def fps(self) -> float:
        """Steps per second."""
        ...

    @property
    def says_rate(self) -> bool:
        """Whether `fps` is stated by the dataset or the caller rather than assumed."""
        ...

    @property
    def said_meaning(self) -> Mapping[str, Any] | None:
        """What the numbers mean, as a `datasets/meaning`; None for foreign sets."""
        ...

    @property
    def cameras(self) -> tuple[EpisodeCamera, ...]: ...

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps of each episode."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes on anything assumed, left out or damaged; bounded in number."""
        ...

    def instruction(self, episode_index: int) -> str:
        """The instruction; empty if the dataset has none."""
        ...

    def instructions(self, episode_index: int) -> tuple[str, ...]:
        """All different wordings of the task; none if the dataset has no instructions."""
        ...

    def success(self, episode_index: int) -> bool | None:
        """Whether the episode succeeded; None if the dataset does not say."""
        ...

    def contradictions(self, episode_index: int) -> Mapping[str, str]:
        """What an episode's rows contradict of the dataset's own description, by a short code."""
        ...

    def frame(self, episode_index: int, step_index: int, camera: str) -> Frame:
        """Colour and depth of a camera; stamps start at 0 in each episode unless the dataset
        has its own."""
        ...

    def actions(self, episode_index: int) -> EpisodeActions | None:
        """None if the dataset has no actions."""
        ...

    def state(self, episode_index: int) -> EpisodeState | None:
        """None if the dataset has no state of the arm."""
        ...

    def close(self) -> None: ...


def several_tasks(texts: Sequence[str]) -> dict[str, str]:
    """The contradiction of an episode whose rows are of different tasks; empty if it has none."""
    if len(texts) < 2:
        return {}
    return {"tasks": f"its rows have different tasks ({quoted('; '.join(texts))})"}
