"""Masks in the picture's pixels: their stability, their boxes, duplicates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.core.boxes import pairwise_iou

STABILITY_OFFSET = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Segment:
    """One mask over the picture.

    `score` is the IoU that the model predicts. `stability` is the IoU of the masks above two
    thresholds around the model's. `box_xyxy_px` runs through the centres of the outermost pixels
    (zeros: the mask is empty). `logits` is the decoder's map, for the next prompt.
    """

    mask: Bool[np.ndarray, "h w"]
    score: float
    stability: float
    box_xyxy_px: Float32[np.ndarray, "4"]
    logits: Float32[np.ndarray, "rows columns"]

    @property
    def area_px(self) -> int:
        return int(np.count_nonzero(self.mask))


def stability_of(over: Float32[np.ndarray, "h w"], *, threshold: float) -> float:
    """How little a mask depends on its threshold: 1 not at all; 0 if it is empty."""
    inner = np.count_nonzero(over > threshold + STABILITY_OFFSET)
    outer = np.count_nonzero(over > threshold - STABILITY_OFFSET)
    return inner / outer if outer else 0.0


def box_of(mask: Bool[np.ndarray, "h w"]) -> Float32[np.ndarray, "4"]:
    """From the centre of its first to that of its last pixel along x and y; zeros if empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return np.zeros(4, np.float32)
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)


def without_doubles(
    box_xyxy_px: Float32[np.ndarray, "n 4"], score: Float32[np.ndarray, " n"], *, most_iou: float
) -> Int64[np.ndarray, " kept"]:
    """Rows by falling score, without those whose box overlaps that of a better one."""
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    for row in order:
        overlap = pairwise_iou(box_xyxy_px[[row]], box_xyxy_px[kept])
        if not (overlap > most_iou).any():
            kept.append(int(row))
    return np.array(kept, np.int64)
