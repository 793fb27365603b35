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
    area = np.prod(box_xyxy_px[:, 2:] - box_xyxy_px[:, :2], axis=1)
    kept: list[int] = []
    while order.size and len(kept) < limit:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(box_xyxy_px[best, :2], box_xyxy_px[rest, :2])
        high = np.minimum(box_xyxy_px[best, 2:], box_xyxy_px[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        overlaps = shared > iou * (area[best] + area[rest] - shared)
        order = rest[~(overlaps & (class_id[rest] == class_id[best]))]
    return np.array(kept, np.int64)
