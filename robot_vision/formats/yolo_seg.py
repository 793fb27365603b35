"""YOLO segmentation: boxes and classes as in `yolov8`, and K coefficients of a mask behind them.

`output` [1, 4 + C + K, N] and `mask_prototypes` [1, K, h, w]; [1, M, 6 + K] for M objects where
suppression is inside the graph.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.masks import prototype_masks
from robot_vision.formats.registry import register_format
from robot_vision.formats.yolo_head import Head, head_candidates, read_head


def _head(outputs: Outputs, manifest: ModelManifest) -> Head:
    prototypes = outputs["mask_prototypes"]
    if prototypes.ndim != 4 or prototypes.shape[0] != 1:
        raise misfit(manifest, "mask_prototypes", prototypes, "[1, K, h, w]")
    return read_head(outputs, manifest, extra=prototypes.shape[1])


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    return head_candidates(_head(outputs, manifest), manifest, min_score=min_score)


def _masks(
    outputs: Outputs,
    manifest: ModelManifest,
    *,
    row: Int64[np.ndarray, " n"],
    box_xyxy_px: Float32[np.ndarray, "n 4"],
    placement: Placement,
) -> Bool[np.ndarray, "n hm wm"] | None:
    coefficients = _head(outputs, manifest).extra[None]
    return prototype_masks(
        {"mask_coefficients": coefficients, "mask_prototypes": outputs["mask_prototypes"]},
        manifest,
        row=row,
        box_xyxy_px=box_xyxy_px,
        placement=placement,
    )


register_format(
    Format(
        name="yolo_seg",
        task="detection",
        roles=("output", "mask_prototypes"),
        detection=Detection(decode=_decode, needs_nms=True, masks=_masks),
        habits={"resize": "letterbox"},
        other_names={"output0": "output", "output1": "mask_prototypes"},
        readings={"box_units": ("pixels", "fractions")},
    )
)
