"""RTMDet (Lyu et al. 2022, arXiv:2212.07784) as its head outputs it, without suppression.

For strides 8, 16 and 32 `scores_<stride>` [1, C, h, w] and `distances_<stride>` [1, 4, h, w]: how
far left, top, right and bottom lie from the cell's corner, in strides (`grid` encoded, MMYOLO) or
in input pixels (`grid` decoded, MMDetection). Tensors of any name are found by shape.
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.distances import boxes_around
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.habits import IMAGENET_BGR
from robot_vision.formats.levels import (
    STRIDES_PX,
    all_levels,
    cells_of,
    check_levels,
    levels_by_shape,
)
from robot_vision.formats.reading import surest
from robot_vision.formats.registry import register_format


def _columns(manifest: ModelManifest) -> dict[str, tuple[int, ...]]:
    return {"scores": (len(manifest.classes),), "distances": (4,)}


def _roles_by_shape(tensors: Outputs, manifest: ModelManifest) -> dict[str, str]:
    return levels_by_shape(tensors, manifest, _columns(manifest))


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    check_levels(outputs, manifest, _columns(manifest))
    scores = all_levels(outputs, "scores", STRIDES_PX)
    distances = all_levels(outputs, "distances", STRIDES_PX)
    cells = cells_of(manifest, STRIDES_PX)

    def boxes_of(row: np.ndarray) -> np.ndarray:
        stride_px = cells[row, 2:]
        distance = distances[row].astype(np.float32)
        in_strides = manifest.reading.grid == "encoded"
        distance_px = distance * stride_px if in_strides else distance
        return boxes_around(cells[row, :2] * stride_px, distance_px)

    logits = manifest.reading.scores == "logits"
    return surest(scores, boxes_of, min_score=min_score, logits=logits)


register_format(
    Format(
        name="rtmdet",
        task="detection",
        roles=tuple(f"{role}_{s}" for role in ("scores", "distances") for s in STRIDES_PX),
        detection=Detection(decode=_decode, needs_nms=True),
        roles_by_shape=_roles_by_shape,
        habits={"resize": "letterbox_topleft", **IMAGENET_BGR},
        readings={"scores": ("logits", "probabilities"), "grid": ("decoded", "encoded")},
    )
)
