"""Matches similar regions of two pictures: mutually nearest cells of their feature maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from robot_vision.core.types import Features


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Mutually nearest cells, the most similar first: their centres in pixels of each picture."""

    first_px: Float32[np.ndarray, "n 2"]
    second_px: Float32[np.ndarray, "n 2"]
    similarity: Float32[np.ndarray, " n"]


def match_regions(
    first: Features,
    second: Features,
    *,
    sizes_px: tuple[tuple[int, int], tuple[int, int]],
    count: int,
) -> Matches:
    """The `count` best of the pairs in which each cell is the other's nearest by cosine.

    The mean over both pictures' cells is subtracted first, as it distinguishes none.
    `sizes_px` are width and height of the two.
    """
    cells = [_cells(features.grid) for features in (first, second)]
    mean = np.concatenate(cells).mean(axis=0)
    one, other = (_unit(each - mean) for each in cells)
    cosine = one @ other.T
    forth, back = cosine.argmax(axis=1), cosine.argmax(axis=0)
    mutual = np.flatnonzero(back[forth] == np.arange(len(forth)))
    similarity = cosine[mutual, forth[mutual]]
    best = np.argsort(-similarity, kind="stable")[:count]
    return Matches(
        first_px=_middles(first.grid, sizes_px[0])[mutual[best]],
        second_px=_middles(second.grid, sizes_px[1])[forth[mutual[best]]],
        similarity=similarity[best],
    )


def _cells(grid: Float32[np.ndarray, "c h w"]) -> Float32[np.ndarray, "n c"]:
    return grid.reshape(len(grid), -1).T


def _unit(rows: Float32[np.ndarray, "n c"]) -> Float32[np.ndarray, "n c"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _middles(
    grid: Float32[np.ndarray, "c h w"], size_px: tuple[int, int]
) -> Float32[np.ndarray, "n 2"]:
    rows, columns = grid.shape[1:]
    y, x = np.mgrid[:rows, :columns]
    middles = np.stack([(x + 0.5) / columns * size_px[0], (y + 0.5) / rows * size_px[1]], axis=-1)
    return middles.reshape(-1, 2).astype(np.float32)
