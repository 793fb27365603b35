"""What every dataset of episodes gives, whatever its files look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.limits_config import DEFAULT_LIMITS, InputLimits
from robot_vision.core.types import Frame


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a dataset may not say itself, and the most that its files may cost.

    `fps` 0 is the dataset's own; `raw_unit_m` is the step of depth in integers, `float_unit_m`
    what 1 stands for in floats.
    """

    fps: float = 0.0
    raw_unit_m: float = 0.001
    float_unit_m: float = 1.0
    limits: InputLimits = DEFAULT_LIMITS


@dataclass(frozen=True, kw_only=True)
class EpisodeCamera:
    """A camera of a dataset: its name there, and whether depth comes with its colour."""

    name: str
    has_depth: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeActions:
    """The actions of an episode, a row a step; `names` is empty where the dataset has none.

    `taught` are whole chunks of canonical actions, in sets where somebody else led than who
    taught: there, rows do not follow one another.
    """

    values: Float[np.ndarray, "steps n"]
    names: tuple[str, ...]
    taught: Float32[np.ndarray, "steps t 7"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class EpisodeState:
    """The arm as it was observed, a row a step; `names` is empty where the dataset has none."""

    values: Float[np.ndarray, "steps n"]
    names: tuple[str, ...]


@runtime_checkable
class EpisodeSet(Protocol):
    """Episodes of one dataset; files are opened when they are needed.

    Numbers of episodes and steps begin at 0. All methods raise `DatasetError` for what is
    missing or damaged, with the file and what was expected.
    """

    @property
    def fps(self) -> float:
        """Steps a second."""
        ...

    @property
    def says_rate(self) -> bool:
        """Whether `fps` is the dataset's own word, or the caller's, and not assumed."""
        ...

    @property
    def said_meaning(self) -> Mapping[str, Any] | None:
        """What the numbers mean, in the words of `datasets/meaning`; None in sets of others."""
        ...

    @property
    def cameras(self) -> tuple[EpisodeCamera, ...]: ...

    @property
    def lengths(self) -> tuple[int, ...]:
        """Steps of each episode."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is assumed, left out or damaged, in words; bounded in number."""
        ...

    def instruction(self, episode_index: int) -> str:
        """The task in words; empty where the dataset has none."""
        ...

    def instructions(self, episode_index: int) -> tuple[str, ...]:
        """All wordings of the task that differ; none where the dataset has no words."""
        ...

    def success(self, episode_index: int) -> bool | None:
        """Whether the episode did its task; None where the dataset does not say."""
        ...

    def frame(self, episode_index: int, step_index: int, camera: str) -> Frame:
        """Colour and depth of a camera; stamps begin at 0 with each episode unless the dataset
        has its own."""
        ...

    def actions(self, episode_index: int) -> EpisodeActions | None:
        """None where the dataset has no actions."""
        ...

    def state(self, episode_index: int) -> EpisodeState | None:
        """None where the dataset has no state of the arm."""
        ...

    def close(self) -> None: ...
