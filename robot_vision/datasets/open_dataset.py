"""Datasets of episodes of any kind that is known here.

A kind is a file in `kinds/` with `matches(path)`, which costs little and imports nothing heavy,
and `open_set(path, fps=…)`.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast, runtime_checkable

from robot_vision.datasets import kinds
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError


@runtime_checkable
class Kind(Protocol):
    """What a file in `kinds/` has."""

    def matches(self, path: Path) -> bool: ...

    def open_set(self, path: Path, *, fps: float) -> EpisodeSet: ...


def is_dataset(path: Path) -> bool:
    """Whether `path` looks like a dataset of some kind; it may still be damaged."""
    return any(kind.matches(path) for kind in _kinds().values())


def open_dataset(path: Path, *, fps: float = 0.0) -> EpisodeSet:
    """The episodes at `path`.

    `fps` above 0 is the rate for datasets that have none. Raises `DatasetError` for what is no
    dataset or cannot be read, `MissingDependencyError` where reading needs an extra.
    """
    for kind in _kinds().values():
        if kind.matches(path):
            return kind.open_set(path, fps=fps)
    raise DatasetError(f"{path} is no dataset of these kinds: {', '.join(_kinds())}")


@cache
def _kinds() -> dict[str, Kind]:
    names = sorted(module.name for module in iter_modules(kinds.__path__))
    return {name: cast(Kind, import_module(f"{kinds.__name__}.{name}")) for name in names}
