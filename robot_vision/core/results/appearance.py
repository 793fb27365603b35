"""Appearance of objects: the feature grid averaged over each box."""

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.types import Features


def pool_appearance(
    features: Features,
    box: Float[np.ndarray, "n 4"],
    *,
    width_px: int,
    height_px: int,
) -> Float32[np.ndarray, "n c"]:
    """Unit rows: the mean of the grid over each box, cells weighted by how much the box covers.

    `box` is xyxy in pixels of the image of `width_px` × `height_px`, which the grid covers.
    A box whose features all have zero norm gets a row of zeros.
    """
    rows, columns = features.grid.shape[1:]
    weight_x = _coverage(box[:, 0::2] * (columns / width_px), columns)
    weight_y = _coverage(box[:, 1::2] * (rows / height_px), rows)
    # The box average is separable: first over columns, then over rows.
    by_row = features.grid @ weight_x.T
    pooled = np.einsum("crn,nr->nc", by_row, weight_y)
    norm = np.linalg.norm(pooled, axis=1, keepdims=True)
    return (pooled / np.maximum(norm, 1e-12)).astype(np.float32)


def _coverage(span: Float[np.ndarray, "n 2"], cells: int) -> Float32[np.ndarray, "n cells"]:
    """Share of each box's extent in each cell along one axis; rows sum to one."""
    edge = np.arange(cells)
    # Thinner boxes would vanish in rounding errors.
    low = np.clip(span[:, :1], 0, cells - 1e-3)
    high = np.clip(np.maximum(span[:, 1:], low + 1e-3), 0, cells)
    share = np.clip(np.minimum(high, edge + 1) - np.maximum(low, edge), 0, None)
    return (share / share.sum(axis=1, keepdims=True)).astype(np.float32)
