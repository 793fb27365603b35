"""The tracks as a table: one array per quantity, one row per track."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.types import TrackState
from robot_vision.tracking.kalman import AxisStates, PointStates

RowsT = TypeVar("RowsT")

# As plain integers: comparing arrays with members of an enumeration is slow.
TENTATIVE, CONFIRMED, COASTING, ENDED = (int(state) for state in TrackState)


@dataclass(frozen=True, kw_only=True, eq=False)
class TrackTable:
    """All tracks. `seen_box` is the box filter as of the last detection, in today's image.

    `evidence` is in log-odds; `class_score` is the lead of `class_id` over other classes.
    Points, sizes and appearances are NaN while they were never measured.
    """

    track_id: Int64[np.ndarray, " n"]
    state: Int64[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    class_score: Float[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    evidence: Float[np.ndarray, " n"]
    born_ns: Int64[np.ndarray, " n"]
    seen_ns: Int64[np.ndarray, " n"]
    detection_index: Int64[np.ndarray, " n"]
    box: AxisStates
    seen_box: AxisStates
    point: PointStates
    size_m: Float[np.ndarray, "n 3"]
    appearance: Float[np.ndarray, "n d"]

    def __len__(self) -> int:
        return len(self.track_id)


def map_rows(function: Callable[..., np.ndarray], first: RowsT, *others: RowsT) -> RowsT:
    """Apply `function` to each array of dataclasses of arrays, nested ones included."""

    def apply(*values: Any) -> Any:
        if isinstance(values[0], np.ndarray):
            return function(*values)
        return map_rows(function, *values)

    rows = [vars(row) for row in (first, *others)]
    return type(first)(**{name: apply(*(row[name] for row in rows)) for name in rows[0]})


def take(rows: RowsT, index: np.ndarray) -> RowsT:
    """The rows that `index` (a mask or row numbers) selects."""
    return map_rows(lambda values: values[index], rows)


def put(rows: RowsT, index: np.ndarray, new: RowsT) -> RowsT:
    """A copy of `rows` in which those at `index` are the rows of `new`."""

    def scatter(values: np.ndarray, replacement: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed[index] = replacement
        return changed

    return map_rows(scatter, rows, new)


def concatenate(first: RowsT, second: RowsT) -> RowsT:
    """The rows of both, in order."""
    return map_rows(lambda a, b: np.concatenate([a, b]), first, second)


def empty_table() -> TrackTable:
    """A table without tracks."""
    ints, floats = np.zeros(0, np.int64), np.zeros(0)
    axes = AxisStates(**dict.fromkeys((f.name for f in fields(AxisStates)), np.zeros((0, 4))))
    return TrackTable(
        track_id=ints,
        state=ints,
        class_id=ints,
        class_score=floats,
        score=floats,
        evidence=floats,
        born_ns=ints,
        seen_ns=ints,
        detection_index=ints,
        box=axes,
        seen_box=axes,
        point=PointStates(mean=np.zeros((0, 6)), covariance=np.zeros((0, 6, 6))),
        size_m=np.zeros((0, 3)),
        appearance=np.zeros((0, 0)),
    )
