"""Boxes given by distances of their sides from a point (FCOS, Tian et al. 2019, 1904.01355)."""

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.formats.activations import softmax

MOST_BINS = 33  # of distributions over distances; projects use 8 or 17


def boxes_around(
    point_px: Float32[np.ndarray, "n 2"], distance_px: Float32[np.ndarray, "n 4"]
) -> Float32[np.ndarray, "n 4"]:
    """Corners of boxes from the distances of left, top, right and bottom to a point in each."""
    return np.concatenate([point_px - distance_px[:, :2], point_px + distance_px[:, 2:]], axis=1)


def expected_distances(distributions: Float[np.ndarray, "n k"]) -> Float32[np.ndarray, "n 4"]:
    """Means of four distributions over 0, 1, 2 … strides, given as logits side by side.

    Generalised focal loss (Li et al. 2020, arXiv:2006.04388).
    """
    shape = (len(distributions), 4, distributions.shape[1] // 4)
    bins = softmax(distributions.astype(np.float32).reshape(shape))
    return bins @ np.arange(bins.shape[2], dtype=np.float32)


def columns_of_distributions(*, other_than: int = 0) -> tuple[int, ...]:
    """How many values a row of four distributions may have."""
    return tuple(4 * bins for bins in range(5, MOST_BINS + 1) if 4 * bins != other_than)
