"""YOLOv5, YOLOv7: one output [1, N, 5 + C] of cx, cy, w, h in input pixels, objectness, classes.

The graph decodes the grids; a score is objectness × class score.
"""

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import surest_of_objects, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import in_pixels
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    values = 5 + len(manifest.classes)
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != values:
        raise misfit(manifest, "output", output, f"[1, N, {values}]")
    rows = output[0]
    return surest_of_objects(
        rows[:, 4],
        rows[:, 5:],
        lambda row: xyxy_from_cxcywh(in_pixels(rows[row, :4], manifest)),
        min_score=min_score,
    )


register_format(
    Format(
        name="yolov5",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"resize": "letterbox"},
        readings={"box_units": ("pixels", "fractions")},
    )
)
