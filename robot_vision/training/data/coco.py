"""Where COCO was read before there were other sets: `sets/coco.py` and `masks.py` have it now."""

from robot_vision.training.data.labelled import Annotated, DetectionSet
from robot_vision.training.data.masks import decode_segmentation, instance_map
from robot_vision.training.data.sets.coco import MOST_ANNOTATION_BYTES, load_coco_set

__all__ = [
    "MOST_ANNOTATION_BYTES",
    "Annotated",
    "DetectionSet",
    "decode_segmentation",
    "instance_map",
    "load_coco_set",
]
