"""The distance of two convex hulls, by the algorithm of Gilbert, Johnson and Keerthi (1988).

Differences of their points form a convex body too; its point nearest to the origin is the vector
from one hull to the other. The nearest point of up to four corners is Wolfe's (1976).
"""

import numpy as np
from jaxtyping import Float64

Points = Float64[np.ndarray, "n 3"]
Way = Float64[np.ndarray, "3"]

_MOST_ROUNDS = 32
_EXACT_M = 1e-5
# Weights of corners below this count as zero.
_NO_WEIGHT = 1e-9


def hulls_apart(
    first_m: Points,
    second_m: Float64[np.ndarray, "m 3"],
    first_from_second: Float64[np.ndarray, "4 4"],
    *,
    enough_m: float,
    guess_m: Way,
) -> tuple[float, Way]:
    """The distance (m) of two hulls, and the vector from the second to the first.

    The vector is in the first's frame. If they overlap, the distance is 0, the vector the guess.

    Stops at `enough_m`: the result is then a lower bound. `guess_m` is a vector other than 0;
    the previous result makes it fast.
    """
    way_m = guess_m
    turn, place_m = first_from_second[:3, :3], first_from_second[:3, 3]
    corners, weights = np.empty((0, 3)), np.empty(0)
    apart_m = 0.0
    for _ in range(_MOST_ROUNDS):
        length_m = float(np.sqrt(way_m @ way_m))
        if length_m < _EXACT_M:
            return 0.0, guess_m
        nearest = first_m[(first_m @ way_m).argmin()]
        facing = second_m[(second_m @ (turn.T @ way_m)).argmax()]
        corner = nearest - turn @ facing - place_m
        # Nothing lies in front of the plane through this corner across the vector.
        apart_m = max(apart_m, float(corner @ way_m) / length_m)
        if apart_m >= enough_m or (len(corners) and length_m - apart_m <= _EXACT_M):
            break
        corners, weights = _nearest(np.vstack([corners, corner]), np.append(weights, 0.0))
        way_m = weights @ corners
    return apart_m, way_m


def _nearest(
    corners: Points, weights: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, "m 3"], Float64[np.ndarray, " m"]]:
    """The corners and weights of the point nearest to the origin; the last corner is new."""
    while True:
        wanted = _without_bounds(corners)
        falling = wanted < _NO_WEIGHT
        if not falling.any():
            return corners, wanted
        # Move until a weight reaches 0; that corner is dropped.
        drop = np.maximum(weights - wanted, _NO_WEIGHT)
        share = float((weights / drop)[falling].min())
        weights = weights + min(share, 1.0) * (wanted - weights)
        kept = weights > _NO_WEIGHT
        corners, weights = corners[kept], weights[kept] / weights[kept].sum()


def _without_bounds(corners: Points) -> Float64[np.ndarray, " n"]:
    """Weights, of sum 1, of the point nearest to the origin on the plane through the corners."""
    sides = corners[1:] - corners[0]
    squared = sides @ sides.T
    # So that corners on a line also define a plane.
    squared.flat[:: len(squared) + 1] += 1e-12 * squared.trace() + 1e-30
    along = np.linalg.solve(squared, -sides @ corners[0])
    return np.concatenate([[1 - along.sum()], along])
