"""How well a model says which classes are in view: several at once, independently."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64

from robot_vision.training.metrics.bootstrap import draws, nanmean


def presence_figures(
    probability: Float[np.ndarray, "n c"],
    is_present: Bool[np.ndarray, "n c"],
) -> dict[str, float]:
    """`presence_map`, the mean over classes of the average precision of ranking pictures, and
    `trivial_presence_map`, that of a random order: the mean share of pictures with a class.

    Classes that are in no picture, or in all, do not count; NaN where none is left.
    """
    share = is_present.mean(axis=0)
    counted = np.flatnonzero((share > 0) & (share < 1))
    found = [average_precision(probability[:, c], is_present[:, c]) for c in counted]
    return {
        "presence_map": _mean(found),
        "trivial_presence_map": _mean(share[counted].tolist()),
    }


def average_precision(score: Float[np.ndarray, " n"], is_right: Bool[np.ndarray, " n"]) -> float:
    """Mean precision at each of the right ones, by falling score."""
    right = is_right[np.argsort(-score, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return float(precision[right].mean())


def resampled_presence(
    probability: Float[np.ndarray, "n c"], is_present: Bool[np.ndarray, "n c"]
) -> dict[str, Float64[np.ndarray, " rounds"]]:
    """`presence_map` in each round of `bootstrap.draws`.

    A picture that is drawn several times is of one score, at the end of which precision is read.
    """
    times = draws(len(probability))
    values = []
    for score, right in zip(probability.T, is_present.T, strict=True):
        order = np.argsort(-score, kind="stable")
        drawn = times[:, order]
        said, hits = drawn.cumsum(axis=1), (drawn * right[order]).cumsum(axis=1)
        found = (hits / np.maximum(said, 1) * drawn * right[order]).sum(axis=1)
        there, all_there = hits[:, -1], said[:, -1]
        counted = (there > 0) & (there < all_there)
        values.append(np.where(counted, found / np.maximum(there, 1), np.nan))
    return {"presence_map": nanmean(np.stack(values))}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
