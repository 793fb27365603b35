"""Recent values of a stream by stamp, with interpolation between them."""

from bisect import bisect_left
from collections import deque
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation, Slerp


class Track:
    """The last values of a stream, by stamp. Repeated and late stamps are left out."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.stamps: deque[int] = deque()
        self.values: deque[Any] = deque()
        self.overflow = 0

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def last_ns(self) -> int:
        return self.stamps[-1] if self.stamps else -1

    def add(self, stamp_ns: int, value: Any) -> bool:
        """Add a value; False if it is not newer than the last one."""
        if stamp_ns <= self.last_ns:
            return False
        self.stamps.append(stamp_ns)
        self.values.append(value)
        if len(self.stamps) > self._limit:
            self.stamps.popleft()
            self.values.popleft()
            self.overflow += 1
        return True

    def nearest(self, stamp_ns: int) -> int | None:
        """Position of the value nearest in time; None if there is none."""
        if not self.stamps:
            return None
        at = bisect_left(self.stamps, stamp_ns)
        around = [i for i in (at - 1, at) if 0 <= i < len(self.stamps)]
        return min(around, key=lambda i: abs(self.stamps[i] - stamp_ns))

    def around(self, stamp_ns: int) -> tuple[int, int, float]:
        """Indices before and after a stamp, and the fraction between them; ends are held."""
        at = bisect_left(self.stamps, stamp_ns)
        if at == 0 or at == len(self.stamps):
            end = min(at, len(self.stamps) - 1)
            return end, end, 0.0
        before_ns, after_ns = self.stamps[at - 1], self.stamps[at]
        return at - 1, at, (stamp_ns - before_ns) / (after_ns - before_ns)

    def forget_before(self, stamp_ns: int) -> None:
        """Drop older values, except for the last one before the stamp."""
        while len(self.stamps) > 1 and self.stamps[1] <= stamp_ns:
            self.stamps.popleft()
            self.values.popleft()


def pose_between(
    first: Float64[np.ndarray, "4 4"], second: Float64[np.ndarray, "4 4"], share: float
) -> Float64[np.ndarray, "4 4"]:
    """Linear in position, along the shortest arc in rotation."""
    if share == 0.0 or first is second:
        return first
    pose = np.eye(4)
    pose[:3, 3] = first[:3, 3] + share * (second[:3, 3] - first[:3, 3])
    turns = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    pose[:3, :3] = Slerp([0.0, 1.0], turns)(share).as_matrix()
    return pose
