"""Mean IoU, IoU of classes and boundary F1 of label maps."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt8

from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.metrics.bootstrap import nanmean, resampled_share

# Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
_TOLERANCE = 0.0075  # of the diagonal
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

_Labels = UInt8[np.ndarray, "h w"]


class SegmentationCounts:
    """Counts over many label maps. `IGNORED` in the truth is not counted."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self._names = class_names
        n = len(class_names)
        self._confusion = np.zeros((n, n), np.int64)  # truth, answer
        self._missed = np.zeros(n, np.int64)  # truth that is answered with no class
        # Boundary cells of each class: all and those near one of the other map; answer and truth.
        self._boundary = np.zeros((4, n), np.int64)
        # For each picture: cells of each class in both maps, and in either.
        self._common = list[Float64[np.ndarray, " c"]]()
        self._union = list[Float64[np.ndarray, " c"]]()

    def add(self, answer: _Labels, truth: _Labels) -> None:
        """Count one answer; an answer of `IGNORED` is wrong wherever the truth is known."""
        counted = truth != IGNORED
        n = len(self._names)
        said = counted & (answer < n)
        pairs = truth[said].astype(np.int64) * n + answer[said]
        confusion = np.bincount(pairs, minlength=n * n).reshape(n, n)
        missed = np.bincount(truth[counted & ~said], minlength=n)
        self._confusion += confusion
        self._missed += missed
        self._common.append(np.diag(confusion).astype(np.float64))
        self._union.append(_union(confusion, missed).astype(np.float64))
        self._add_boundaries(np.where(counted, answer, IGNORED), truth)

    def _add_boundaries(self, answer: _Labels, truth: _Labels) -> None:
        away = cv2.dilate((truth == IGNORED).astype(np.uint8), _CROSS) == 0
        reach = _disc(max(1, round(_TOLERANCE * float(np.hypot(*truth.shape)))))
        for row in np.union1d(np.unique(answer), np.unique(truth)):
            if row >= len(self._names):
                continue
            found, true = (_boundary(labels == row) & away for labels in (answer, truth))
            near_true, near_found = (
                cv2.dilate(edge.astype(np.uint8), reach) > 0 for edge in (true, found)
            )
            counts = (found, found & near_true, true, true & near_found)
            self._boundary[:, row] += [int(edge.sum()) for edge in counts]

    def iou(self) -> Float[np.ndarray, " c"]:
        """For each class; NaN if it is neither in truths nor in answers."""
        common, union = np.diag(self._confusion), _union(self._confusion, self._missed)
        return np.divide(common, union, where=union > 0, out=np.full(len(union), np.nan))

    def resampled(self) -> dict[str, Float64[np.ndarray, " rounds"]]:
        """`miou` in each round of `bootstrap.draws`."""
        iou = resampled_share(np.stack(self._common), np.stack(self._union))
        return {"miou": nanmean(iou.T)}

    def summary(self) -> dict[str, float]:
        """`miou` over the classes present, `pixel_accuracy`, `boundary_f1` (mean over
        classes, within 0.75 % of the diagonal), and each class's `iou/<name>`."""
        iou = self.iou()
        found, right, true, reached = self._boundary.astype(np.float64)
        there = found + true > 0
        score = (right + reached) / np.maximum(found + true, 1)
        total = int(self._confusion.sum() + self._missed.sum())
        return {
            "miou": float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan"),
            "pixel_accuracy": float(np.trace(self._confusion) / max(total, 1)),
            "boundary_f1": float(score[there].mean()) if there.any() else float("nan"),
            **{
                f"iou/{name}": float(value)
                for name, value in zip(self._names, iou, strict=True)
                if np.isfinite(value)
            },
        }


def _union(
    confusion: Int64[np.ndarray, "c c"], missed: Int64[np.ndarray, " c"]
) -> Int64[np.ndarray, " c"]:
    return confusion.sum(axis=0) + confusion.sum(axis=1) + missed - np.diag(confusion)


def at_cells(labels: _Labels, *, rows: int, columns: int) -> UInt8[np.ndarray, "{rows} {columns}"]:
    """A label map read at the centre of each cell of the model's answer grid."""
    height, width = labels.shape
    y = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    return labels[y[:, None], x]


def _boundary(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Cells of a mask next to cells outside it; the picture's edge is not a boundary."""
    return mask & (cv2.erode(mask.astype(np.uint8), _CROSS) == 0)


def _disc(radius: int) -> UInt8[np.ndarray, "k k"]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
