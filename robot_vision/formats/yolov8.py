"""YOLOv8/11-style: one output of cx, cy, w, h in input pixels and a probability per class.

It is [1, 4 + C, N], or [1, N, 4 + C] as some exporters write it.
"""

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import best_class, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    values = 4 + len(manifest.classes)
    if output.ndim != 3 or output.shape[0] != 1 or values not in output.shape[1:]:
        raise misfit(manifest, "output", output, f"[1, {values}, N] or [1, N, {values}]")
    rows = output[0].T if output.shape[1] == values else output[0]
    rows = rows.astype(np.float32, copy=False)
    # By class first: memory order of the usual layout, and few rows are left afterwards.
    row = np.flatnonzero(rows[:, 4:].max(axis=1) >= min_score)
    found = best_class(rows[row, 4:], xyxy_from_cxcywh(rows[row, :4]), min_score)
    return Candidates(
        box_xyxy_px=found.box_xyxy_px, score=found.score, class_id=found.class_id, row=row
    )


register_format(
    Format(
        name="yolov8",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"resize": "letterbox"},
    )
)
