"""Top-1, top-5, calibration and recall by class."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64

from robot_vision.training.metrics.bootstrap import resampled_share
from robot_vision.training.metrics.calibration import calibration_gap


def classification_figures(
    probability: Float[np.ndarray, "n c"],
    class_id: Int64[np.ndarray, " n"],
    class_names: Sequence[str],
) -> dict[str, float]:
    """`top1` and `top5`: the true class is the first, or of the first five. `ece`: expected
    calibration error of the first (Guo et al., arXiv:1706.04599). `mean_recall` over the classes
    shown, and each class's as `recall/<name>`; a class that is not shown has none."""
    order = np.argsort(-probability, axis=1, kind="stable")
    right = order[:, 0] == class_id
    recalls = {
        f"recall/{name}": float(right[class_id == row].mean())
        for row, name in enumerate(class_names)
        if (class_id == row).any()
    }
    return {
        "top1": float(right.mean()),
        "top5": float((order[:, :5] == class_id[:, None]).any(axis=1).mean()),
        "ece": calibration_gap(probability.max(axis=1), right),
        "mean_recall": float(np.mean(list(recalls.values()))),
        **recalls,
    }


def resampled_top1(
    probability: Float[np.ndarray, "n c"],
    class_id: Int64[np.ndarray, " n"],
    picture: Int64[np.ndarray, " n"],
) -> dict[str, Float64[np.ndarray, " rounds"]]:
    """`top1` in each round of `bootstrap.draws`; crops of one `picture` are drawn together."""
    is_right = (probability.argmax(axis=1) == class_id).astype(np.float64)
    hits = np.bincount(picture, weights=is_right)
    return {"top1": resampled_share(hits, np.bincount(picture).astype(np.float64))}
