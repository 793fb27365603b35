"""Box AP from cached matches: correctness is computed once and counted in many draws.

The rules are COCO's (`pycocotools.cocoeval`): by falling score each detection takes the free
object of its class that it overlaps most; what lies on one that is hardly visible does not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import csr_array

from robot_vision.core.boxes import area_px2, intersection_px2, pairwise_iou
from robot_vision.training.metrics.bootstrap import draws, nanmean
from robot_vision.training.metrics.selected import FoundBoxes

_IOUS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Detections of all pictures by falling score, and how many objects each picture has.

    `is_right` and `is_counted` are by the ten IoUs from .5 to .95 that AP is the mean over.
    """

    picture: Int64[np.ndarray, " d"]
    class_id: Int64[np.ndarray, " d"]
    is_right: Bool[np.ndarray, "10 d"]
    is_counted: Bool[np.ndarray, "10 d"]
    objects: Int64[np.ndarray, "pictures classes"]


def resampled_precision(
    found: Sequence[FoundBoxes], classes: int
) -> dict[str, Float64[np.ndarray, " rounds"]]:
    """`AP` and `AP50` of boxes in each round of `bootstrap.draws`."""
    values = precision(match(found, classes), draws(len(found)))
    by_iou = np.stack([nanmean(values[:, column]) for column in range(len(_IOUS))])
    return {"AP": by_iou.mean(axis=0), "AP50": by_iou[0]}


def precision(
    matches: Matches, times: Float64[np.ndarray, "rounds pictures"]
) -> Float64[np.ndarray, "classes 10 rounds"]:
    """AP of each class at each IoU, with each picture repeated `times` times.

    NaN if the class is absent; recall is read at COCO's 101 points.
    """
    objects = matches.objects.T @ times.T
    values = np.zeros((len(objects), len(_IOUS), len(times)))
    for row, column in np.ndindex(values.shape[:2]):
        rows = np.flatnonzero(matches.is_counted[column] & (matches.class_id == row))
        is_right = matches.is_right[column, rows]
        if is_right.any():
            values[row, column] = _average(
                matches.picture[rows], is_right, times.T, np.maximum(objects[row], 1)
            )
    values[np.broadcast_to(objects[:, None] == 0, values.shape)] = np.nan
    return values


def _average(
    picture: Int64[np.ndarray, " d"],
    is_right: Bool[np.ndarray, " d"],
    times: Float64[np.ndarray, "pictures rounds"],
    objects: Float64[np.ndarray, " rounds"],
) -> Float64[np.ndarray, " rounds"]:
    """Mean over the recall points of the best precision from there on.

    Precision peaks at right detections: others are only counted up to the next right one.
    """
    right = np.flatnonzero(is_right)
    before = np.searchsorted(right, np.arange(right[-1] + 1))
    pairs = (np.ones(len(before)), (before, picture[: len(before)]))
    said = np.cumsum(csr_array(pairs, shape=(len(right), len(times))) @ times, axis=0)
    hits = np.cumsum(times[picture[right]], axis=0)
    best = np.maximum.accumulate((hits / np.maximum(said, 1))[::-1], axis=0)[::-1]
    reached = np.searchsorted(_RECALLS, (hits / objects).ravel(), side="right")
    places = np.diff(reached.reshape(hits.shape), axis=0, prepend=0)
    return (best * places).sum(axis=0) / len(_RECALLS)


def match(found: Sequence[FoundBoxes], classes: int) -> Matches:
    """The detections of all pictures, each matched within its picture."""
    matched = [_matched(seen) for seen in found]
    order = np.argsort(-np.concatenate([seen.score for seen in found]), kind="stable")
    number = np.repeat(np.arange(len(found)), [len(seen.score) for seen in found])
    objects = [np.bincount(seen.sample.class_id, minlength=classes) for seen in found]
    return Matches(
        picture=number[order],
        class_id=np.concatenate([seen.class_id for seen in found])[order],
        is_right=np.concatenate([right for right, _ in matched], axis=1)[:, order],
        is_counted=np.concatenate([counted for _, counted in matched], axis=1)[:, order],
        objects=np.stack(objects),
    )


def _matched(seen: FoundBoxes) -> tuple[Bool[np.ndarray, "10 d"], Bool[np.ndarray, "10 d"]]:
    """Which detections of a picture are right, and which count."""
    truth, class_id = seen.sample, seen.class_id[:, None]
    box, true, hidden = (
        corners.astype(np.float64)
        for corners in (seen.box_xyxy_px, truth.box_xyxy_px, truth.crowd_xyxy_px)
    )
    is_right = _taken(np.where(class_id == truth.class_id, pairwise_iou(box, true), 0.0))
    inside = intersection_px2(box, hidden) / np.maximum(area_px2(box), 1e-12)[:, None]
    inside = np.where(class_id == truth.crowd_class_id, inside, 0.0).max(axis=1, initial=0)
    return is_right, is_right | (inside < _IOUS[:, None])


def _taken(iou: Float64[np.ndarray, "d objects"]) -> Bool[np.ndarray, "10 d"]:
    """At each requested IoU, whether a detection takes an object; in order."""
    is_right = np.zeros((len(_IOUS), len(iou)), bool)
    is_free = np.ones((len(_IOUS), iou.shape[1]), bool)
    for row in np.flatnonzero(iou.max(axis=1, initial=0) >= _IOUS[0]):
        fit = np.where(is_free & (iou[row] >= _IOUS[:, None]), iou[row], 0.0)
        best = fit.shape[1] - 1 - fit[:, ::-1].argmax(axis=1)  # the last of equals, as in COCO
        reached = np.flatnonzero(fit.max(axis=1) > 0)
        is_right[reached, row] = True
        is_free[reached, best[reached]] = False
    return is_right
