"""RT-DETR as Ultralytics exports it: one output [1, N, 4 + C], a row per query.

cx, cy, w, h in fractions of the input and a probability per class; one box per object.
"""

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import input_size_px, surest
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    output = outputs["output"]
    values = 4 + len(manifest.classes)
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != values:
        raise misfit(manifest, "output", output, f"[1, N, {values}]")
    rows = output[0]
    return surest(
        rows[:, 4:],
        lambda row: xyxy_from_cxcywh(rows[row, :4].astype("float32") * input_size_px(manifest)),
        min_score=min_score,
    )


register_format(
    Format(
        name="rtdetr",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=False),
        habits={"resize": "stretch"},
    )
)
