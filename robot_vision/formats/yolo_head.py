"""The head of YOLOv8 and its successors: [1, 4 + C + E, N], or [1, N, 4 + C + E] as some write it.

Each of N cells has cx, cy, w, h in input pixels, a probability per class, and E more numbers (of
masks, keypoints, an angle). With suppression inside the graph (`nms=True`, or the end-to-end heads
of YOLO26) it is [1, K, 6 + E]: a row per object of its box, score, class and the same E numbers;
unused rows are zero. The box is given by corners; an oriented box by centre and size.
After `NMSModel` of Ultralytics' `engine/exporter.py` and `postprocess` of `nn/modules/head.py`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import BoxesOf, judged, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Outputs
from robot_vision.formats.reading import in_pixels, surest

_STRIDES_PX = (4, 8, 16, 32, 64)
_LEAST_LEVELS = 3  # of these heads; 300 rows of objects may be the cells of one or two


@dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """The parts of an output, as views of it. `classes` are score and class if `suppressed`."""

    box: Float[np.ndarray, "n 4"]
    classes: Float[np.ndarray, "n c"]
    extra: Float[np.ndarray, "n e"]
    suppressed: bool

    def boxes_px(
        self, row: Int64[np.ndarray, " k"], manifest: ModelManifest
    ) -> Float32[np.ndarray, "k 4"]:
        """Corners of the boxes of these rows in input pixels."""
        box = in_pixels(self.box[row], manifest)
        return box if self.suppressed else xyxy_from_cxcywh(box)


def read_head(outputs: Outputs, manifest: ModelManifest, *, extra: int) -> Head:
    """The head with `extra` numbers after its classes; raises `BundleError` if it has others.

    Rows that are not cells of a grid are read as objects, but only with extras:
    without these they may equally come from RT-DETR or another end-to-end model. Sizes may agree
    by chance (20 objects with as many numbers as a cell, two classes), so with extras the other
    axis must count cells.
    """
    output = outputs["output"]
    values = 4 + len(manifest.classes) + extra
    levels = _LEAST_LEVELS if extra and values == 6 + extra else 1
    is_batch = output.ndim == 3 and output.shape[0] == 1
    of_cells = not extra or (is_batch and _is_grid(output.shape[2], manifest, levels=1))
    if is_batch and output.shape[1] == values and of_cells:
        return _split(output[0].T, values - extra, suppressed=False)
    if is_batch and output.shape[2] == values and _is_grid(output.shape[1], manifest, levels):
        return _split(output[0], values - extra, suppressed=False)
    of_objects = is_batch and extra and not _is_grid(output.shape[2], manifest, _LEAST_LEVELS)
    if of_objects and output.shape[2] == 6 + extra:
        return _split(output[0], 6, suppressed=True)
    if is_batch and output.shape[2] == values:
        raise _no_grid(output, manifest)
    suppressed = f" or [1, K, {6 + extra}]" if extra else ""
    expected = f"[1, {values}, N] or [1, N, {values}]{suppressed}"
    raise misfit(manifest, "output", output, expected)


def head_candidates(
    head: Head, manifest: ModelManifest, *, min_score: float, boxes_of: BoxesOf | None = None
) -> Candidates:
    """Rows that reach `min_score`; `boxes_of` replaces the head's own boxes."""
    boxes_of = boxes_of or (lambda row: head.boxes_px(row, manifest))
    if head.suppressed:
        return judged(head.classes, boxes_of, manifest, min_score=min_score)
    return surest(head.classes, boxes_of, min_score=min_score)


def _split(rows: np.ndarray, end: int, *, suppressed: bool) -> Head:
    return Head(
        box=rows[:, :4], classes=rows[:, 4:end], extra=rows[:, end:], suppressed=suppressed
    )


def _is_grid(rows: int, manifest: ModelManifest, levels: int) -> bool:
    """Whether that many rows are the cells of at least that many grids of neighbouring strides."""
    width_px, height_px = manifest.input.width_px, manifest.input.height_px
    cells = [-(-width_px // s) * -(-height_px // s) for s in _STRIDES_PX]
    ends = range(1, len(cells) + 1)
    spans = ((first, end) for end in ends for first in range(end - levels + 1))
    return any(sum(cells[first:end]) == rows for first, end in spans)


def _no_grid(output: np.ndarray, manifest: ModelManifest) -> BundleError:
    return BundleError(
        f"bundle {manifest.name!r}: output 'output' is {list(output.shape)}, and "
        f"{output.shape[1]} rows do not form a grid over {manifest.input.width_px}×"
        f"{manifest.input.height_px} px, so they are not in format "
        f"{manifest.format!r} says; rows of a box, a score and a class are of format "
        "'end_to_end', those of a box in fractions and a score per class of 'rtdetr'"
    )
