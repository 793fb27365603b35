"""How well a model says which classes are in view: several at once, each by itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float


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


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
