"""Finds rows of an episode at time offsets from other rows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from robot_vision.core.clock import NS_PER_S
from robot_vision.training.demonstrations.demonstrations import Demonstrations

_Rows = Int64[np.ndarray, " n"]


class RowClock:
    """Finds rows by their stamps within the episode of another row."""

    def __init__(self, source: Demonstrations) -> None:
        first, stamp_ns = source.first_row, np.asarray(source.stamp_ns)
        self._first, self._last = first, first + source.length - 1
        self._into_ns = stamp_ns - stamp_ns[first]
        # Episodes in sequence on one clock, so that one search finds all.
        self._span_ns = 2 * int(self._into_ns.max(initial=0)) + NS_PER_S
        self._episode = np.unique(first, return_inverse=True)[1]
        self._clock_ns = self._into_ns + self._episode * self._span_ns

    def near(
        self, rows: _Rows, after_s: Sequence[float], *, most_off_s: float
    ) -> tuple[Int64[np.ndarray, "n k"], Bool[np.ndarray, "n k"]]:
        """The nearest row of the same episode to each time after (negative: before) each row.

        False if the nearest is further off than `most_off_s`: the episode does not reach
        there. `after_s` 0 is the row itself.
        """
        after_ns = np.round(np.asarray(after_s) * NS_PER_S).astype(np.int64)
        wanted = self._clock_ns[rows][:, None] + after_ns
        above = np.searchsorted(self._clock_ns, wanted)
        first, last = self._first[rows][:, None], self._last[rows][:, None]
        above, below = np.clip(above, first, last), np.clip(above - 1, first, last)
        nearer_below = wanted - self._clock_ns[below] <= self._clock_ns[above] - wanted
        found = np.where(nearer_below, below, above)
        found[:, after_ns == 0] = rows[:, None]
        off_ns = np.abs(self._clock_ns[found] - wanted)
        return found, off_ns <= most_off_s * NS_PER_S

    def episode(self, rows: _Rows) -> _Rows:
        """The number of the episode of each row."""
        return self._episode[rows]

    def into_s(self, rows: Int64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """Seconds since the episode of each row began."""
        return self._into_ns[rows] / NS_PER_S
