"""Whether a score of 0.8 is right eight times in ten, and the best score threshold."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int64

from robot_vision.core.boxes import pairwise_iou
from robot_vision.training.metrics.selected import FoundBoxes

RIGHT_IOU = 0.5
BINS = 10
LEAST_SCORE = 0.05


def expected_calibration_error(found: Sequence[FoundBoxes]) -> float:
    """Mean gap of score and precision over ten bins of score (Guo et al., arXiv:1706.04599).

    A detection above 0.05 is right when its IoU with an object of its class is ≥ 0.5.
    """
    score, right = _judged(found)
    score, right = score[score >= LEAST_SCORE], right[score >= LEAST_SCORE]
    if not len(score):
        return float("nan")
    return calibration_gap(score, right)


def calibration_gap(score: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> float:
    """Mean gap of score and part that is right over ten bins of score, weighted by their size."""
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    gaps = [
        abs(score[bins == b].mean() - right[bins == b].mean()) * (bins == b).sum()
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / len(score))


def best_threshold(found: Sequence[FoundBoxes]) -> tuple[float, float]:
    """The best F1 over all score thresholds, and the threshold that gives it."""
    score, right = _judged(found)
    objects = sum(len(f.sample.class_id) for f in found)
    if not len(score) or not objects:
        return 0.0, 0.0
    order = np.argsort(-score)
    hits = np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + objects)
    best = int(f1.argmax())
    return float(f1[best]), float(score[order][best])


def mistakes(found: FoundBoxes, threshold: float) -> int:
    """Objects missed and false alarms at a score threshold."""
    right = right_detections(found)[found.score >= threshold]
    return int((~right).sum()) + len(found.sample.class_id) - int(right.sum())


def right_detections(found: FoundBoxes) -> Bool[np.ndarray, " n"]:
    """By falling score, each detection takes the free object of its class that it fits best."""
    same_class = found.class_id[:, None] == found.sample.class_id
    return taken_objects(np.where(same_class, object_overlap(found), 0.0)) >= 0


def taken_objects(fit: Float[np.ndarray, "n objects"]) -> Int64[np.ndarray, " n"]:
    """The object that each detection takes, −1 for none: in order, the free one of best fit.

    `fit` are IoUs, and at least 0.5 is required.
    """
    taken = np.full(len(fit), -1)
    free = np.ones(fit.shape[1], bool)
    for row in range(len(fit)):
        own = np.where(free, fit[row], 0.0)
        if own.max(initial=0) >= RIGHT_IOU:
            taken[row] = own.argmax()
            free[taken[row]] = False
    return taken


def object_overlap(found: FoundBoxes) -> Float[np.ndarray, "n objects"]:
    """IoU of each detection with each object of the image."""
    return pairwise_iou(found.box_xyxy_px, found.sample.box_xyxy_px)


def is_hardly_visible(found: FoundBoxes) -> Bool[np.ndarray, " n"]:
    """Detections of objects too small or too hidden to count."""
    overlap = pairwise_iou(found.box_xyxy_px, found.sample.crowd_xyxy_px)
    return overlap.max(axis=1, initial=0) >= RIGHT_IOU


def _judged(
    found: Sequence[FoundBoxes],
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Scores of all detections and whether each is right; hardly visible objects do not count."""
    scores, rights = [np.zeros(0)], [np.zeros(0, bool)]
    for f in found:
        right = right_detections(f)
        counted = right | ~is_hardly_visible(f)
        scores.append(f.score[counted])
        rights.append(right[counted])
    return np.concatenate(scores), np.concatenate(rights)
