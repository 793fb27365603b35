"""Whether a score of 0.8 is right eight times in ten, and the score that serves best."""

import numpy as np
from jaxtyping import Bool, Float

from robot_vision.core.boxes import pairwise_iou
from robot_vision.training.findings import Found

RIGHT_IOU = 0.5
BINS = 10
LEAST_SCORE = 0.05


def expected_calibration_error(found: list[Found]) -> float:
    """Mean gap of score and precision over ten bins of score (Guo et al., arXiv:1706.04599).

    A detection above 0.05 is right when its IoU with an object of its class is ≥ 0.5.
    """
    score, right = _judged(found)
    score, right = score[score >= LEAST_SCORE], right[score >= LEAST_SCORE]
    if not len(score):
        return float("nan")
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    gaps = [
        abs(score[bins == b].mean() - right[bins == b].mean()) * (bins == b).sum()
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / len(score))


def best_threshold(found: list[Found]) -> tuple[float, float]:
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


def mistakes(found: Found, threshold: float) -> int:
    """Objects missed and false alarms at a score threshold."""
    right = right_detections(found)[found.score >= threshold]
    return int((~right).sum()) + len(found.sample.class_id) - int(right.sum())


def right_detections(found: Found) -> Bool[np.ndarray, " n"]:
    """By falling score, each detection takes the free object of its class that it fits best."""
    sample = found.sample
    free = np.ones(len(sample.class_id), bool)
    right = np.zeros(len(found.score), bool)
    overlap = pairwise_iou(found.box_xyxy_px, sample.box_xyxy_px)
    for row, class_id in enumerate(found.class_id):
        fit = np.where(free & (sample.class_id == class_id), overlap[row], 0.0)
        if fit.size and fit.max() >= RIGHT_IOU:
            free[fit.argmax()] = False
            right[row] = True
    return right


def _judged(
    found: list[Found],
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Scores of all detections and whether each is right; hardly visible objects do not count."""
    scores, rights = [np.zeros(0)], [np.zeros(0, bool)]
    for f in found:
        right = right_detections(f)
        on_crowd = (
            pairwise_iou(f.box_xyxy_px, f.sample.crowd_xyxy_px).max(axis=1, initial=0) >= 0.5
        )
        counted = right | ~on_crowd
        scores.append(f.score[counted])
        rights.append(right[counted])
    return np.concatenate(scores), np.concatenate(rights)
