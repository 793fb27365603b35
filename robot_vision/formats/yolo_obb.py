"""YOLO-OBB: rotated boxes, [1, 4 + C + 1, N].

cx, cy, w, h in input pixels, a probability per class, and the angle in radians from the image's x
axis to the side w, clockwise as seen. [1, M, 7] for M objects where suppression is inside the
graph: cx, cy, w, h, score, class, angle.
"""

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import hull
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import in_pixels
from robot_vision.formats.registry import register_format
from robot_vision.formats.yolo_head import Head, head_candidates, read_head


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    head = read_head(outputs, manifest, extra=1)
    return head_candidates(
        head,
        manifest,
        min_score=min_score,
        boxes_of=lambda row: hull(_of_rows(head, manifest, row)),
    )


def _oriented_boxes(
    outputs: Outputs, manifest: ModelManifest, *, row: Int64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 5"]:
    return _of_rows(read_head(outputs, manifest, extra=1), manifest, row)


def _of_rows(
    head: Head, manifest: ModelManifest, row: Int64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 5"]:
    angle_rad = head.extra[row].astype(np.float32)
    return np.concatenate([in_pixels(head.box[row], manifest), angle_rad], axis=1)


register_format(
    Format(
        name="yolo_obb",
        task="detection",
        roles=("output",),
        detection=Detection(decode=_decode, needs_nms=True, oriented_boxes=_oriented_boxes),
        habits={"resize": "letterbox"},
        readings={"box_units": ("pixels", "fractions")},
    )
)
