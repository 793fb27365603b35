"""The baseline for detectors: the commonest boxes, whatever the picture shows."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32, Int64

_ACROSS, _DOWN = 6, 5  # grid cells in which boxes are counted
_MOST_BOXES = 100


class TrivialBoxes:
    """Fitted to the boxes and classes of training pictures of one size.

    For each class and cell the mean box, scored by its frequency: `box_xyxy_px` f32
    [n,4], `score` f32 [n] by falling score, `class_id` i64 [n].
    """

    def __init__(
        self,
        pictures: Iterable[tuple[Float32[np.ndarray, "_ 4"], Int64[np.ndarray, " _"]]],
        *,
        width_px: int,
        height_px: int,
    ) -> None:
        seen = list(pictures)
        boxes = np.concatenate([box for box, _ in seen]).astype(np.float64)
        classes = np.concatenate([class_id for _, class_id in seen])
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2 / (width_px, height_px)
        across, down = (middle * (_ACROSS, _DOWN)).astype(int).T
        keys = (classes * _DOWN + down) * _ACROSS + across
        found, row, count = np.unique(keys, return_inverse=True, return_counts=True)
        sums = np.zeros((len(found), 4))
        np.add.at(sums, row, boxes)
        order = np.argsort(-count, kind="stable")[:_MOST_BOXES]
        self.box_xyxy_px = (sums / count[:, None])[order].astype(np.float32)
        self.score = (count / len(seen))[order].astype(np.float32)
        self.class_id = (found // (_ACROSS * _DOWN))[order]
