"""YOLOX (Ge et al. 2021, arXiv:2107.08430): grids of stride 8, 16 and 32, objectness × class.

One output [1, N, 5 + C]: cx, cy relative to the cell, the logarithms of w and h (all in strides),
objectness, class scores. Exported with its decoding (`--decode_in_inference`), cx, cy, w, h are in
input pixels: the manifest's `grid` says which.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import surest_of_objects, xyxy_from_cxcywh
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
    rows = output[0]

    def boxes_of(row: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n 4"]:
        box = rows[row, :4].astype(np.float32, copy=False)
        if manifest.reading.grid == "encoded":
            box = _decoded(box, cells[row])
        return xyxy_from_cxcywh(box)

    return surest_of_objects(rows[:, 4], rows[:, 5:], boxes_of, min_score=min_score)


def _decoded(
    raw: Float32[np.ndarray, "n 4"], cell: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 4"]:
    stride_px = cell[:, 2:]
    with np.errstate(over="ignore"):
        size_px = np.exp(raw[:, 2:]) * stride_px
    return np.concatenate([(raw[:, :2] + cell[:, :2]) * stride_px, size_px], axis=1)


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
        readings={"grid": ("encoded", "decoded")},
    )
)
