"""A grid of cells with several boxes each, decoded in the graph (YOLO, arXiv:1506.02640).

`boxes_xyxy` [1, N, 4] in input pixels, `confidence` [1, N] that a box holds an object, and
`class_scores` [1, N, C] of the object in its cell. A score is confidence × class score.
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import checked_boxes, surest_of_objects
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes = checked_boxes(outputs, "boxes_xyxy", manifest)
    count = boxes.shape[1]
    shapes = {"confidence": (1, count), "class_scores": (1, count, len(manifest.classes))}
    for role, shape in shapes.items():
        if outputs[role].shape != shape:
            raise misfit(manifest, role, outputs[role], str(list(shape)))
    return surest_of_objects(
        outputs["confidence"][0],
        outputs["class_scores"][0],
        lambda row: boxes[0, row].astype(np.float32, copy=False),
        min_score=min_score,
    )


register_format(
    Format(
        name="yolo_v1",
        task="detection",
        roles=("boxes_xyxy", "confidence", "class_scores"),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"resize": "letterbox"},
    )
)
