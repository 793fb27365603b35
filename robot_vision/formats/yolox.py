"""YOLOX (Ge et al. 2021, arXiv:2107.08430): grids of stride 8, 16 and 32, objectness × class.

One output [1, N, 5 + C]: cx, cy relative to the cell, the logarithms of w and h (all in strides),
objectness, class scores.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import best_class, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format

_STRIDES_PX = (8, 16, 32)


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    cells = grid_cells(manifest.input.width_px, manifest.input.height_px)
    shape = (1, len(cells), 5 + len(manifest.classes))
    if output.shape != shape:
        raise misfit(manifest, "output", output, str(list(shape)))
    # A class score is at most 1, so objectness alone rules most cells out.
    row = np.flatnonzero(output[0, :, 4] >= min_score)
    raw, cell = output[0, row].astype(np.float32), cells[row]
    stride = cell[:, 2:]
    with np.errstate(over="ignore"):
        box = np.concatenate(
            [(raw[:, :2] + cell[:, :2]) * stride, np.exp(raw[:, 2:4]) * stride], axis=1
        )
    found = best_class(raw[:, 4:5] * raw[:, 5:], xyxy_from_cxcywh(box), min_score)
    return Candidates(
        box_xyxy_px=found.box_xyxy_px,
        score=found.score,
        class_id=found.class_id,
        row=row[found.row],
    )


@lru_cache(maxsize=16)
def grid_cells(width_px: int, height_px: int) -> Float32[np.ndarray, "n 3"]:
    """Column, row and stride of every cell, finest grid first, in the order of the output."""
    levels = []
    for stride_px in _STRIDES_PX:
        rows, columns = np.mgrid[: height_px // stride_px, : width_px // stride_px]
        stride = np.full(rows.size, stride_px)
        levels.append(np.stack([columns.ravel(), rows.ravel(), stride], axis=1))
    return np.concatenate(levels).astype(np.float32)


register_format(
    Format(
        name="yolox",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"color": "bgr", "resize": "letterbox_topleft", "scale": 1.0},
    )
)
