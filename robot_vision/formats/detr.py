"""DETR-style set predictions with post-processing in the graph (RT-DETR, D-FINE, DEIM exports).

`labels` [1, N], `boxes` [1, N, 4] and `scores` [1, N], with a batch axis or without; one box per
object, by its corners in input pixels if the manifest does not say otherwise. A graph that scales
boxes to `orig_target_sizes` is given the size of its input.
"""

from robot_vision.formats.format import Detection, Format
from robot_vision.formats.labelled import check_labels, labelled_boxes
from robot_vision.formats.registry import register_format

register_format(
    Format(
        name="detr",
        task="detection",
        roles=("labels", "boxes", "scores"),
        detection=Detection(decode=labelled_boxes, needs_nms=False),
        check=check_labels,
        habits={"resize": "stretch"},
        other_names={"pred_boxes": "boxes"},
        readings={"box_units": ("pixels", "fractions"), "box_order": ("xyxy", "cxcywh")},
    )
)
