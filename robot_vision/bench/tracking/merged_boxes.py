"""Overlapping objects that a detector merges."""

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
    """Boxes extended by `share` towards those they absorb, and which boxes remain.

    From the nearest on: each remaining box absorbs those behind that overlap it by more than their
    `merge_iou`.
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
