"""YOLOv8/11-style: one output of cx, cy, w, h in input pixels and a probability per class.

It is [1, 4 + C, N], or [1, N, 4 + C] as some exporters write it.
"""

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format
from robot_vision.formats.yolo_head import head_candidates, read_head


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    head = read_head(outputs, manifest, extra=0)
    return head_candidates(head, manifest, min_score=min_score)


register_format(
    Format(
        name="yolov8",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True),
        habits={"resize": "letterbox"},
        readings={"box_units": ("pixels", "fractions")},
    )
)
