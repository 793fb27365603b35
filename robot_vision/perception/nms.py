"""Non-maximum suppression within each class, and what the suppressed say about the kept."""

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.boxes import pairwise_iou

_VOTES_FROM_IOU = 0.7
_VOTE_SPREAD = 0.02


def suppress(
    box_xyxy_px: Float[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    class_id: Int64[np.ndarray, " n"],
    *,
    iou: float,
    limit: int,
) -> Int64[np.ndarray, " k"]:
    """Rows kept, by falling score and at most `limit`: greedy, overlaps above `iou` are dropped.

    Boxes of different classes never suppress each other. Only the best ten times `limit` are
    looked at, which bounds the time that a flood of weak boxes takes.
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
        free &= ~(overlaps & (group == group[best]))
    return order[kept]


def vote(
    kept: Int64[np.ndarray, " k"],
    box_xyxy_px: Float[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    class_id: Int64[np.ndarray, " n"],
) -> Float[np.ndarray, "k 4"]:
    """The boxes of rows `kept`, each averaged with those of its class that overlap it most.

    Several cells see an object, and the surest about what it is need not be the surest about
    where: boxes weigh by score and overlap (score voting: Kim and Lee, ECCV 2020).
    """
    # In double precision a mean of single ones does not leave the frame that they lie in.
    overlap = pairwise_iou(box_xyxy_px[kept], box_xyxy_px).astype(np.float64)
    votes = (overlap > _VOTES_FROM_IOU) & (class_id[kept, None] == class_id)
    weight = np.where(votes, np.exp(-((1 - overlap) ** 2) / _VOTE_SPREAD) * score, 0.0)
    weight[np.arange(len(kept)), kept] = np.maximum(score[kept], np.finfo(np.float32).tiny)
    weight /= weight.sum(axis=1, keepdims=True)
    return (weight @ box_xyxy_px).astype(box_xyxy_px.dtype)
