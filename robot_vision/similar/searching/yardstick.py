"""How far pictures lie apart, against how much those of an index differ in each direction.

Most of a model's features encode what it was trained to distinguish. The pictures of an index
differ most in these, and a picture of anything else hardly does. Each direction is therefore
scaled by the index's own spread (Mahalanobis distance).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.similar.searching.search import BLOCK, Apart, is_near
from robot_vision.similar.store import Index

# Added to the variance of each direction, as a part of their mean: of few pictures it is unsure.
_FLOOR = 0.01
_NOT_ZERO = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Yardstick:
    """`scaled` means of maps have about unit variance in each direction."""

    centre: Float32[np.ndarray, " c"]
    scale: Float32[np.ndarray, "c c"]

    def scaled(self, means: Float32[np.ndarray, "n c"]) -> Float32[np.ndarray, "n c"]:
        return (means - self.centre) @ self.scale


def yardstick_of(means: Float32[np.ndarray, "n c"]) -> Yardstick:
    """By these means of maps, two or more."""
    centre = means.mean(axis=0)
    apart = (means - centre).astype(np.float64)
    variance, directions = np.linalg.eigh(apart.T @ apart / (len(means) - 1))
    variance = np.maximum(variance, 0)
    widened = variance + _FLOOR * variance.mean() + _NOT_ZERO
    return Yardstick(centre=centre, scale=(directions / np.sqrt(widened)).astype(np.float32))


def nearest_by(
    yardstick: Yardstick,
    index: Index,
    means: Float32[np.ndarray, "q c"],
    *,
    count: int,
    apart: Apart | None = None,
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Distances, rising, and rows of the `count` nearest of each; infinite where fewer count.

    Exact, in blocks: memory does not grow with the index.
    """
    queries = yardstick.scaled(means)
    best = np.full((len(means), 0), np.inf, np.float32)
    rows = np.zeros((len(means), 0), np.int64)
    for begins in range(0, len(index), BLOCK):
        block = slice(begins, min(begins + BLOCK, len(index)))
        known = yardstick.scaled(index.means(block))
        squared = (queries**2).sum(1)[:, None] + (known**2).sum(1) - 2 * queries @ known.T
        distance = np.sqrt(np.maximum(squared, 0))
        if apart is not None:
            distance[is_near(apart, block)] = np.inf
        numbers = np.broadcast_to(np.arange(begins, block.stop), distance.shape)
        best = np.concatenate([best, distance], axis=1)
        rows = np.concatenate([rows, numbers], axis=1)
        order = np.argsort(best, axis=1, kind="stable")[:, :count]
        best, rows = (np.take_along_axis(each, order, axis=1) for each in (best, rows))
    return best, rows
