"""NanoDet with an output for each level: class scores and distributions of distances.

For strides 8, 16 and 32 `scores_<stride>` [1, N, C] and `distances_<stride>` [1, N, 4·(r + 1)]:
distributions over the distance, in strides, of each side from the middle of the cell
(generalised focal loss, Li et al. 2020, arXiv:2006.04388). Tensors of any name are found by shape.
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.distances import (
    boxes_around,
    columns_of_distributions,
    expected_distances,
)
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


def _roles_by_shape(tensors: Outputs, manifest: ModelManifest) -> dict[str, str]:
    classes = len(manifest.classes)
    columns = {"scores": (classes,), "distances": columns_of_distributions(other_than=classes)}
    return levels_by_shape(tensors, manifest, columns)


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    columns = {"scores": (len(manifest.classes),), "distances": columns_of_distributions()}
    check_levels(outputs, manifest, columns)
    scores = all_levels(outputs, "scores", STRIDES_PX)
    distances = all_levels(outputs, "distances", STRIDES_PX)
    cells = cells_of(manifest, STRIDES_PX)

    def boxes_of(row: np.ndarray) -> np.ndarray:
        stride_px = cells[row, 2:]
        middle_px = (cells[row, :2] + 0.5) * stride_px
        return boxes_around(middle_px, expected_distances(distances[row]) * stride_px)

    logits = manifest.reading.scores == "logits"
    return surest(scores, boxes_of, min_score=min_score, logits=logits)


register_format(
    Format(
        name="nanodet",
        task="detection",
        roles=tuple(f"{role}_{s}" for role in ("scores", "distances") for s in STRIDES_PX),
        detection=Detection(decode=_decode, needs_nms=True),
        roles_by_shape=_roles_by_shape,
        habits={"resize": "letterbox", "pad_value": 0, **IMAGENET_BGR},
        other_names={
            f"{name}_stride_{s}": f"{role}_{s}"
            for name, role in (("cls_pred", "scores"), ("dis_pred", "distances"))
            for s in STRIDES_PX
        },
        readings={"scores": ("probabilities", "logits")},
    )
)
