"""FastestDet (dog-qiuqiu, github.com/dog-qiuqiu/FastestDet): one grid, one box for each cell.

One output [1, 5 + C, h, w]: objectness; the box's centre relative to the cell (before tanh) and
its size in fractions of the input (before sigmoid); class scores. A box's score is
objectness^0.6 × class^0.4, as its own code weighs them.
"""

from dataclasses import replace

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.activations import sigmoid
from robot_vision.formats.boxes import xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.levels import rows_of_level
from robot_vision.formats.reading import input_size_px, surest
from robot_vision.formats.registry import register_format

_OBJECTNESS_POWER = 0.6
_CLASS_POWER = 0.4


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    values = 5 + len(manifest.classes)
    if output.ndim != 4 or output.shape[:2] != (1, values):
        raise misfit(manifest, "output", output, f"[1, {values}, h, w]")
    lines, columns = output.shape[2:]
    rows = rows_of_level(output)
    # A class score is at most 1, so objectness alone rules most cells out.
    sure = np.flatnonzero(rows[:, 0] ** _OBJECTNESS_POWER >= min_score)
    raw = rows[sure].astype(np.float32)
    line, column = np.divmod(sure, columns)
    cell = np.stack([column, line], axis=1).astype(np.float32)
    grid = np.array((columns, lines), np.float32)

    def boxes_of(row: np.ndarray) -> np.ndarray:
        centre = (cell[row] + np.tanh(raw[row, 1:3])) / grid
        box = np.concatenate([centre, sigmoid(raw[row, 3:5])], axis=1)
        return xyxy_from_cxcywh(box * input_size_px(manifest))

    scores = raw[:, :1] ** _OBJECTNESS_POWER * raw[:, 5:] ** _CLASS_POWER
    found = surest(scores, boxes_of, min_score=min_score)
    return replace(found, row=sure[found.row])


register_format(
    Format(
        name="fastestdet",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"color": "bgr", "resize": "stretch"},
    )
)
