"""YOLOv8/11-style: one output of cx, cy, w, h in input pixels and a probability per class."""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.perception.decoding import (
    DECODERS,
    Candidates,
    best_class,
    misfit,
    xyxy_from_cxcywh,
)


class Yolov8Decoder:
    """One output [1, 4 + C, N], or [1, N, 4 + C] as some exporters write it."""

    roles = ("output",)
    needs_nms = True
    weighs_overlaps = False  # served as its authors do

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates:
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


DECODERS.register("yolov8")(Yolov8Decoder())
