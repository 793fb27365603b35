"""YOLOX (Ge et al. 2021, arXiv:2107.08430): grids of stride 8, 16 and 32, objectness × class.

One output [1, N, 5 + C]: cx, cy relative to the cell, the logarithms of w and h (all in strides),
objectness, class scores. Exported with its decoding (`--decode_in_inference`), cx, cy, w, h are in
input pixels: the manifest's `grid` says which.
"""

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import surest_of_objects, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.levels import STRIDES_PX, cells_of
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    cells = cells_of(manifest, STRIDES_PX)
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
