"""The kinds of sets that can be read: each is one file in `training/data/sets/`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.registry import Registry
from robot_vision.training.data.faults import Faults
from robot_vision.training.data.labelled import LabelledSet


@dataclass(frozen=True, kw_only=True)
class SetKind:
    """How one kind of set lies in its folder.

    `looked_for` says by which files it is recognised, `is_here` looks for them. `splits` names
    the parts that the folder holds (train, val, …); none if it is not divided. `read` reads a
    part, or with "" all there is; it gives what is wrong to the `Faults`, and raises
    `ConfigError` or `ForeignFileError` where nothing can be read. A kind that nearly any folder
    could be is the `last_resort`: recognised where no other is.
    """

    looked_for: str
    is_here: Callable[[Path], bool]
    splits: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path, str, Faults], LabelledSet]
    last_resort: bool = False


SETS: Registry[SetKind] = Registry("kind of set", package="robot_vision.training.data.sets")
