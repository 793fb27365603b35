"""Suppression inside the graph (YOLOv10, YOLO26, `nms=True`): a row per object, [1, K, 6].

Two corners in input pixels, then score and class, or class and score (`last_columns`). YOLOv7
writes [K, 7], with the number of the picture first. Padding rows have a score of 0.
"""

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import judged
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import in_pixels
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    rows = _rows(outputs["output"], manifest)
    verdict = rows[:, 4:]
    if manifest.reading.last_columns == "class_score":
        verdict = verdict[:, ::-1]
    return judged(
        verdict, lambda row: in_pixels(rows[row, :4], manifest), manifest, min_score=min_score
    )


def _rows(output: np.ndarray, manifest: ModelManifest) -> np.ndarray:
    if output.ndim == 3 and output.shape[0] == 1 and output.shape[2] == 6:
        return output[0]
    if output.ndim == 2 and output.shape[1] in (6, 7):
        return output[:, -6:]
    raise misfit(manifest, "output", output, "[1, K, 6], [K, 6] or [K, 7]")


register_format(
    Format(
        name="end_to_end",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=False),
        habits={"resize": "letterbox"},
        readings={
            "last_columns": ("score_class", "class_score"),
            "box_units": ("pixels", "fractions"),
        },
    )
)
