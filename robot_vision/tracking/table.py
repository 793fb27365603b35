"""The tracks as a table: a structured array, one field per quantity, one row per track.

Selecting, replacing and joining rows is then one array operation each, however many fields there
are.
"""

import numpy as np

from robot_vision.core.types import TrackState
from robot_vision.tracking.kalman import AxisStates, PointStates

# As plain integers: comparing arrays with members of an enumeration is slow.
TENTATIVE, CONFIRMED, COASTING, ENDED = (int(state) for state in TrackState)

# Fields of `AxisStates` for centre and size of a box, and of `PointStates`.
BOX = np.dtype([(name, np.float64, 4) for name in AxisStates.__dataclass_fields__])
POINT = np.dtype([("mean", np.float64, 6), ("covariance", np.float64, (6, 6))])

# A structured array of `track_dtype`: NumPy's types cannot name its fields.
TrackTable = np.ndarray


def track_dtype(*, appearance_width: int) -> np.dtype:
    """Fields of a track. `seen_box`: the box filter as of the last detection, in this image.

    `evidence` is in log-odds; `class_score` is the lead of `class_id` over other classes.
    Points, sizes and appearances are NaN while they were never measured.
    """
    integers = ("track_id", "state", "class_id", "born_ns", "seen_ns", "detection_index")
    return np.dtype(
        [(name, np.int64) for name in integers]
        + [(name, np.float64) for name in ("class_score", "score", "evidence")]
        + [("box", BOX), ("seen_box", BOX), ("point", POINT)]
        + [("size_m", np.float64, 3), ("appearance", np.float64, (appearance_width,))]
    )


def empty_table(n: int = 0, *, appearance_width: int = 0) -> TrackTable:
    """A table of `n` tracks, not yet filled in."""
    return np.zeros(n, track_dtype(appearance_width=appearance_width))


def axes_of(field: np.ndarray) -> AxisStates:
    """A field of boxes as states of the filter: views, not copies."""
    return AxisStates(**{name: field[name] for name in BOX.fields or ()})


def points_of(field: np.ndarray) -> PointStates:
    """A field of points as states of the filter: views, not copies."""
    return PointStates(mean=field["mean"], covariance=field["covariance"])


def fill(field: np.ndarray, states: AxisStates | PointStates) -> None:
    """Write the states of a filter into a field."""
    for name, values in vars(states).items():
        field[name] = values


def with_appearance_width(table: TrackTable, width: int) -> TrackTable:
    """The table for appearances of another width: of a new model, so old ones are lost."""
    changed = empty_table(len(table), appearance_width=width)
    for name in table.dtype.names or ():
        changed[name] = np.nan if name == "appearance" else table[name]
    return changed
