"""The kinds of readable sets: one file each in `training/data/sets/`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.registry import Registry
from robot_vision.training.data.labels.labelled import LabelledSet
from robot_vision.training.data.opening.faults import Faults


@dataclass(frozen=True, kw_only=True)
class SetKind:
    """The layout of one kind of set in its folder.

    `looked_for` describes the files that identify it, `is_here` looks for them. `splits` names
    the folder's parts (train, val, …); none if it is not divided. `read` reads a
    part, or everything for ""; it adds problems to the `Faults`, and raises
    `ConfigError` or `ForeignFileError` if nothing can be read. A kind that nearly any folder
    matches is a `last_resort`: recognised only if no other is.
    """

    looked_for: str
    is_here: Callable[[Path], bool]
    splits: Callable[[Path], tuple[str, ...]]
    read: Callable[[Path, str, Faults], LabelledSet]
    last_resort: bool = False


SETS: Registry[SetKind] = Registry("kind of set", package="robot_vision.training.data.sets")
