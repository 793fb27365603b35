"""Columns of a dataset by number or by name."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from robot_vision.core.files.foreign import brief, quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.meaning import Column


def pick(
    values: Float[np.ndarray, "n c"],
    columns: Sequence[Column],
    *,
    names: Sequence[str],
    what: str,
) -> Float[np.ndarray, "n k"]:
    """The named columns in order; raises `DatasetError` that lists the available ones."""
    places = [place_of(c, count=values.shape[1], names=names, what=what) for c in columns]
    return values[:, places]


def place_of(column: Column, *, count: int, names: Sequence[str], what: str) -> int:
    """The number of a column; raises `DatasetError` if there is none, or more than one."""
    if isinstance(column, int):
        if column < count:
            return column
        raise DatasetError(f"no column {column} of {what}: it has {count}, numbered from 0")
    found = [place for place, name in enumerate(names) if name == column]
    if len(found) == 1:
        return found[0]
    fault = f"{len(found)} columns" if found else "no column"
    choices = brief(", ".join(names)) if names else f"no names; numbers are 0 to {count - 1}"
    raise DatasetError(f"{fault} {quoted(column)} of {what}; there are: {choices}")


def called(column: Column, names: Sequence[str]) -> str:
    """A column's name for messages."""
    if isinstance(column, str):
        return column
    return names[column] if column < len(names) else f"column {column}"
