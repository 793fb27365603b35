"""SSD and others as TensorFlow's Object Detection API and TFLite export them, with suppression.

`boxes` [1, N, 4] as y, x, y, x in fractions of the input, `labels` [1, N] (numbers as floats) and
`scores` [1, N]; `num_detections` [1], where there is one, says how many rows count. TensorFlow
counts classes from 1 (label 0 is the background), TFLite from 0.
"""

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.labelled import check_labels, labelled_boxes
from robot_vision.formats.registry import register_format

_NAMES = {
    "detection_boxes": "boxes",
    "detection_classes": "labels",
    "detection_scores": "scores",
    "num_detections": "num_detections",
    "TFLite_Detection_PostProcess": "boxes",
    "TFLite_Detection_PostProcess:1": "labels",
    "TFLite_Detection_PostProcess:2": "scores",
    "TFLite_Detection_PostProcess:3": "num_detections",
}


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    found = labelled_boxes(outputs, manifest, min_score=min_score)
    if "num_detections" not in outputs:
        return found
    counts = found.row < outputs["num_detections"].max(initial=0)
    return Candidates(
        box_xyxy_px=found.box_xyxy_px[counts],
        score=found.score[counts],
        class_id=found.class_id[counts],
        row=found.row[counts],
    )


register_format(
    Format(
        name="ssd",
        task="detection",
        roles=("labels", "boxes", "scores"),
        optional_roles=("num_detections",),
        detection=Detection(decode=_decode, needs_nms=False),
        check=check_labels,
        habits={"resize": "stretch"},
        other_names=_NAMES | {f"{name}:0": role for name, role in _NAMES.items()},
        readings={
            "box_units": ("fractions",),
            "box_order": ("yxyx",),
            "background": ("first", "none"),
        },
    )
)
