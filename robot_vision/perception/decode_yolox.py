"""YOLOX (Ge et al. 2021): grids of stride 8, 16, 32; offsets, log sizes, objectness × class."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifest import ModelManifest
from robot_vision.perception.decoding import DECODERS, Candidates, best_class, misfit
from robot_vision.perception.decoding import xyxy_from_cxcywh as corners

_STRIDES_PX = (8, 16, 32)


class YoloxDecoder:
    """One output [1, N, 5 + C]: cx, cy, w, h relative to the cell, objectness, class scores."""

    roles = ("output",)
    needs_nms = True
    weighs_overlaps = False  # served as its authors do

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates:
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
        found = best_class(raw[:, 4:5] * raw[:, 5:], corners(box), min_score)
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


DECODERS.register("yolox")(YoloxDecoder())
