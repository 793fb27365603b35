"""NanoDet-Plus: one output [1, N, C + 4·(r + 1)] over the levels of strides 8, 16, 32 and 64.

Class scores, and distributions over the distance, in strides, of each side from the cell's corner
(generalised focal loss, Li et al. 2020, arXiv:2006.04388).
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.distances import (
    boxes_around,
    columns_of_distributions,
    expected_distances,
)
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.habits import IMAGENET_BGR
from robot_vision.formats.levels import cells_of
from robot_vision.formats.reading import surest
from robot_vision.formats.registry import register_format

_STRIDES_PX = (8, 16, 32, 64)


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output, classes = outputs["output"], len(manifest.classes)
    cells = cells_of(manifest, _STRIDES_PX)
    fits = output.ndim == 3 and output.shape[:2] == (1, len(cells))
    if not fits or output.shape[2] - classes not in columns_of_distributions():
        raise misfit(manifest, "output", output, f"[1, {len(cells)}, {classes} + 4·bins]")

    def boxes_of(row: np.ndarray) -> np.ndarray:
        stride_px = cells[row, 2:]
        distance_px = expected_distances(output[0, row, classes:]) * stride_px
        return boxes_around(cells[row, :2] * stride_px, distance_px)

    logits = manifest.reading.scores == "logits"
    return surest(output[0, :, :classes], boxes_of, min_score=min_score, logits=logits)


register_format(
    Format(
        name="nanodet_plus",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"resize": "letterbox", "pad_value": 0, **IMAGENET_BGR},
        readings={"scores": ("probabilities", "logits")},
    )
)
