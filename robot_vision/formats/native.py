"""Our multi-task model: boxes and scores per anchor; masks, depth and features beside them.

`boxes_xyxy` [1, A, 4] in input pixels and `scores` [1, A, C], both ready to use. All shapes are
in ARCHITECTURE.md.
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import checked_boxes, every_class
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.masks import check_prototypes, prototype_masks
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes, scores = checked_boxes(outputs, "boxes_xyxy", manifest), outputs["scores"]
    shape = (1, boxes.shape[1], len(manifest.classes))
    if scores.shape != shape:
        raise misfit(manifest, "scores", scores, str(list(shape)))
    return every_class(
        scores[0].astype(np.float32, copy=False),
        boxes[0].astype(np.float32, copy=False),
        min_score,
    )


def _check(outputs: Outputs, manifest: ModelManifest) -> None:
    check_prototypes(outputs, manifest, rows=outputs["boxes_xyxy"].shape[1])


register_format(
    Format(
        name="native",
        task="multitask",
        roles=("boxes_xyxy", "scores"),
        detection=Detection(
            decode=_decode, needs_nms=True, weighs_overlaps=True, masks=prototype_masks
        ),
        check=_check,
        depth_role="depth_m",
        habits={"resize": "letterbox"},
        # ONNX allows no output with the name of an input.
        other_names={"metric_depth_m": "depth_m"},
    )
)
