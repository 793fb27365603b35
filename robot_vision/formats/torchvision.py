"""Detectors of torchvision (SSD, SSDlite, RetinaNet, Faster R-CNN): suppression in the graph.

`boxes` [N, 4] by their corners in input pixels, `labels` [N] and `scores` [N]; label 0 is the
background, so the names of classes begin at label 1.
"""

from robot_vision.formats.format import Detection, Format
from robot_vision.formats.labelled import check_labels, labelled_boxes
from robot_vision.formats.registry import register_format

register_format(
    Format(
        name="torchvision",
        task="detection",
        roles=("labels", "boxes", "scores"),
        detection=Detection(decode=labelled_boxes, needs_nms=False),
        check=check_labels,
        habits={"resize": "stretch"},
        readings={"background": ("first",)},
    )
)
