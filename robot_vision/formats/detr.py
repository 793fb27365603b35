"""DETR-style set predictions with post-processing in the graph (RT-DETR, D-FINE exports).

`labels` [1, N], `boxes` [1, N, 4] as xyxy in input pixels, `scores` [1, N]; one box per object. A
graph that scales boxes to `orig_target_sizes` is given the size of its input.
"""

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import checked_boxes
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes = checked_boxes(outputs, "boxes", manifest)
    labels, scores = outputs["labels"], outputs["scores"]
    for role in ("labels", "scores"):
        if outputs[role].shape != boxes.shape[:2]:
            raise misfit(manifest, role, outputs[role], str(list(boxes.shape[:2])))
    class_id = labels[0].astype(np.int64)
    # Labels outside the bundle's classes (a padding class) are nobody's detections.
    known = (class_id >= 0) & (class_id < len(manifest.classes))
    row = np.flatnonzero((scores[0] >= min_score) & known)
    return Candidates(
        box_xyxy_px=boxes[0, row].astype(np.float32, copy=False),
        score=scores[0, row].astype(np.float32, copy=False),
        class_id=class_id[row],
        row=row,
    )


register_format(
    Format(
        name="detr",
        task="detection",
        roles=("labels", "boxes", "scores"),
        detection=Detection(decode=_decode, needs_nms=False),
        habits={"resize": "stretch"},
        other_names={"pred_boxes": "boxes"},
    )
)
