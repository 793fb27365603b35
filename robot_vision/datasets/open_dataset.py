"""Opens datasets of episodes of any known kind.

A kind is a file in `kinds/` with `matches(path)`, which costs little and imports nothing heavy,
and `open_set(path, reading)`.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast, runtime_checkable

from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits
from robot_vision.datasets import kinds
from robot_vision.datasets.episode_set import EpisodeSet, Reading
from robot_vision.datasets.errors import DatasetError


@runtime_checkable
class Kind(Protocol):
    """The interface of a file in `kinds/`."""

    def matches(self, path: Path) -> bool: ...

    def open_set(self, path: Path, reading: Reading) -> EpisodeSet: ...


def is_dataset(path: Path) -> bool:
    """Whether `path` looks like a dataset of some kind; it may still be damaged."""
    return any(kind.matches(path) for kind in _kinds().values())


def open_dataset(
    path: Path,
    *,
    fps: float = 0.0,
    raw_unit_m: float = 0.001,
    float_unit_m: float = 1.0,
    limits: InputLimits = DEFAULT_LIMITS,
) -> EpisodeSet:
    """The episodes at `path`.

    `fps` above 0 is the rate for datasets that have none. If a dataset does not state the unit of
    its depth, `raw_unit_m` is that of integers and `float_unit_m` that of floats. Raises
    `DatasetError` for anything that is not a readable dataset, `MissingDependencyError` if reading
    needs an extra.
    """
    reading = Reading(fps=fps, raw_unit_m=raw_unit_m, float_unit_m=float_unit_m, limits=limits)
    for kind in _kinds().values():
        if kind.matches(path):
            return kind.open_set(path, reading)
    raise DatasetError(f"{path} is not a dataset of these kinds: {', '.join(_kinds())}")


@cache
def _kinds() -> dict[str, Kind]:
    names = sorted(module.name for module in iter_modules(kinds.__path__))
    return {name: cast(Kind, import_module(f"{kinds.__name__}.{name}")) for name in names}
