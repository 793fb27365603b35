"""Objects that a detector takes for one because they overlap."""

import numpy as np
from jaxtyping import Bool, Float


def merged_boxes(
    box_xyxy_px: Float[np.ndarray, "n 4"],
    *,
    overlap: Float[np.ndarray, "n n"],
    depth_m: Float[np.ndarray, " n"],
    merge_iou: Float[np.ndarray, " n"],
    share: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, "n 4"], Bool[np.ndarray, " n"]]:
    """Boxes drawn out by `share` towards those that they swallow, and which are not swallowed.

    From the nearest on: each that is left swallows those behind that overlap it more than
    their `merge_iou`.
    """
    boxes, kept = box_xyxy_px.copy(), np.ones(len(box_xyxy_px), bool)
    for front in np.argsort(depth_m):
        if not kept[front]:
            continue
        behind = kept & (depth_m > depth_m[front]) & (overlap[front] > merge_iou)
        for other in np.flatnonzero(behind):
            low = np.minimum(boxes[front, :2], box_xyxy_px[other, :2])
            high = np.maximum(boxes[front, 2:], box_xyxy_px[other, 2:])
            union = np.concatenate([low, high])
            boxes[front] += share[other] * (union - boxes[front])
        kept &= ~behind
    return boxes, kept
