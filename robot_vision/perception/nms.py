"""Non-maximum suppression within each class, and mutual evidence of overlapping boxes."""

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.boxes import pairwise_iou
from robot_vision.perception.oriented_iou import oriented_iou

_SAME_THING_IOU = 0.7
_VOTE_SPREAD = 0.02
_DOUBT_SPREAD = 0.5
_OTHER_NAME_DOUBT = 0.5


def suppress(
    box_xyxy_px: Float[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    class_id: Int64[np.ndarray, " n"],
    *,
    iou: float,
    limit: int,
    oriented_box_px: Float[np.ndarray, "n 5"] | None = None,
) -> Int64[np.ndarray, " k"]:
    """Rows to keep, by descending score, at most `limit`: greedy, overlaps above `iou` are
    dropped.

    Boxes of different classes never suppress each other. Oriented boxes use their oriented
    overlap; `box_xyxy_px` are then their hulls. Only the best ten times `limit` are examined,
    which bounds the time for a flood of weak boxes.
    """
    order = np.argsort(-score, kind="stable")[: 10 * limit]
    left, top, right, bottom = np.ascontiguousarray(box_xyxy_px[order].T)
    area, group = (right - left) * (bottom - top), class_id[order]
    free = np.ones(len(order), bool)
    kept: list[int] = []
    for best in range(len(order)):
        if not free[best]:
            continue
        kept.append(best)
        if len(kept) == limit:
            break
        width = np.minimum(right, right[best]) - np.maximum(left, left[best])
        height = np.minimum(bottom, bottom[best]) - np.maximum(top, top[best])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        overlaps = shared > iou * (area + area[best] - shared)
        rivals = free & (group == group[best])
        if oriented_box_px is not None:
            near = np.flatnonzero(rivals & (shared > 0))
            others = oriented_box_px[order[near]]
            overlaps[near] = oriented_iou(oriented_box_px[order[best]], others) > iou
        free &= ~(overlaps & rivals)
    return order[kept]


def vote(
    kept: Int64[np.ndarray, " k"],
    box_xyxy_px: Float[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    class_id: Int64[np.ndarray, " n"],
) -> Float[np.ndarray, "k 4"]:
    """The boxes of rows `kept`, each averaged with those of its class that overlap it most.

    Several cells see an object, and the most confident about its class need not be the best about
    its position: boxes weigh by score and overlap (score voting: Kim and Lee, ECCV 2020).
    """
    # In double precision, the mean of single-precision boxes stays within their frame.
    overlap = pairwise_iou(box_xyxy_px[kept], box_xyxy_px).astype(np.float64)
    votes = (overlap > _SAME_THING_IOU) & (class_id[kept, None] == class_id)
    weight = np.where(votes, np.exp(-((1 - overlap) ** 2) / _VOTE_SPREAD) * score, 0.0)
    weight[np.arange(len(kept)), kept] = np.maximum(score[kept], np.finfo(np.float32).tiny)
    weight /= weight.sum(axis=1, keepdims=True)
    return (weight @ box_xyxy_px).astype(box_xyxy_px.dtype)


def doubt(
    box_xyxy_px: Float[np.ndarray, "k 4"],
    score: Float[np.ndarray, " k"],
    class_id: Int64[np.ndarray, " k"],
) -> Float[np.ndarray, " k"]:
    """The scores of kept boxes, in descending order, minus what more confident overlapping boxes
    explain.

    A box of the same class lowers a score as in soft-NMS (Bodla et al., ICCV 2017,
    arXiv:1704.04503). If both show the same object as two classes, the more confident one takes up
    to half of the other's score, in proportion to its own.
    """
    overlap = pairwise_iou(box_xyxy_px, box_xyxy_px)
    other_name = class_id[:, None] != class_id
    same_class = np.exp(-(overlap**2) / _DOUBT_SPREAD)
    other_class = 1 - _OTHER_NAME_DOUBT * np.clip(score, 0, 1) * (overlap > _SAME_THING_IOU)
    left = np.where(other_name, other_class, same_class)
    is_surer = np.tri(len(score), k=-1, dtype=bool)
    return score * left.prod(axis=1, where=is_surer)


def weigh_overlaps(
    kept: Int64[np.ndarray, " k"],
    box_xyxy_px: Float[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    class_id: Int64[np.ndarray, " n"],
    *,
    min_score: float,
) -> tuple[Int64[np.ndarray, " m"], Float[np.ndarray, "m 4"], Float[np.ndarray, " m"]]:
    """Rows of `kept` with a score of `min_score` after doubts, boxes after votes, and scores.

    In descending order of score.
    """
    box = vote(kept, box_xyxy_px, score, class_id)
    doubted = doubt(box, score[kept], class_id[kept])
    order = np.argsort(-doubted, kind="stable")
    order = order[doubted[order] >= min_score]
    return kept[order], box[order], doubted[order]
