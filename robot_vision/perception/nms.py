"""Non-maximum suppression within each class."""

import numpy as np
from jaxtyping import Float, Int64


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
