"""Distances of many pairs of capsules in a few array operations."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.bodies import Capsule

Points = Float64[np.ndarray, "n 3"]
# Segments shorter than this are points.
_POINT_M2 = 1e-12


class CapsulePairs:
    """Compares every capsule of one body with every one of another, for pairs of bodies.

    A body is its row of poses and its capsules; `pairs` are of indices of `bodies`.
    """

    def __init__(
        self,
        bodies: Sequence[tuple[int, Sequence[Capsule]]],
        pairs: Sequence[tuple[int, int]],
    ) -> None:
        count = [len(capsules) for _, capsules in bodies]
        first = np.cumsum([0, *count])
        rows = [range(first[k], first[k + 1]) for k in range(len(bodies))]
        all_of = [capsule for _, capsules in bodies for capsule in capsules]
        self._pose = np.repeat([row for row, _ in bodies], count)
        self._start_m, self._end_m = (np.array([capsule[k] for capsule in all_of]) for k in (0, 1))
        self._radius_m = np.array([capsule.radius_m for capsule in all_of])
        members = [list(product(rows[one], rows[other])) for one, other in pairs]
        self._one, self._other = np.array([pair for many in members for pair in many]).T
        self._begins = np.cumsum([0, *map(len, members)])[:-1]

    def apart_m(
        self, base_from_link: Float64[np.ndarray, "links 4 4"]
    ) -> Float64[np.ndarray, " pairs"]:
        """The smallest distance of each pair of bodies, below 0 where capsules overlap."""
        poses = base_from_link[self._pose]
        turn, place_m = poses[:, :3, :3], poses[:, :3, 3]
        start_m = (turn @ self._start_m[:, :, None])[:, :, 0] + place_m
        way_m = (turn @ (self._end_m - self._start_m)[:, :, None])[:, :, 0]
        one, other = self._one, self._other
        apart_m = _segments_apart(start_m[one], way_m[one], start_m[other], way_m[other])
        return np.minimum.reduceat(
            apart_m - self._radius_m[one] - self._radius_m[other], self._begins
        )


def _segments_apart(
    start: Points, way: Points, other_start: Points, other_way: Points
) -> Float64[np.ndarray, " n"]:
    """Smallest distance of two segments (Ericson 2005, Real-Time Collision Detection, 5.1.9)."""
    between = start - other_start
    a, e = _dot(way, way), _dot(other_way, other_way)
    b, c, f = _dot(way, other_way), _dot(way, between), _dot(other_way, between)
    safe_a, safe_e = np.maximum(a, _POINT_M2), np.maximum(e, _POINT_M2)
    slant = a * e - b * b
    parallel = slant <= 1e-9 * a * e + _POINT_M2**2
    s = np.where(parallel, 0.0, np.clip((b * f - c * e) / np.where(parallel, 1.0, slant), 0, 1))
    t = np.clip((b * s + f) / safe_e, 0, 1)
    s = np.clip((b * t - c) / safe_a, 0, 1)
    nearest = between + s[:, None] * way - t[:, None] * other_way
    return np.sqrt(_dot(nearest, nearest))


def _dot(first: Points, second: Points) -> Float64[np.ndarray, " n"]:
    return (first * second).sum(axis=1)
