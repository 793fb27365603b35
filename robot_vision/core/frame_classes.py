"""What a frame shows as a whole, as it is published: label images, shares, one JSON text each.

Labels: 0 is none of the classes, class k is k + 1. The highest number of the image's type, which
`vision_msgs/LabelInfo` reserves for what is unlabelled, is never used, so that readers of either
convention see the same.
"""

import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8, UInt16

from robot_vision.core.objects import class_name
from robot_vision.core.types import Classification, SemanticMap

NONE_LABEL, NONE_NAME = 0, "none"
MOST_CLASSES = 100
"""Classes that a message of a classification holds at most: the likeliest."""
# Of an 8-bit image: without none, and without what is reserved.
_MOST_SHORT_LABELS = 254


def top_classes(found: Classification, *, most: int = MOST_CLASSES) -> list[tuple[str, float]]:
    """Name and probability of the likeliest classes, by falling probability."""
    pairs = zip(found.class_id[:most].tolist(), found.probability[:most].tolist(), strict=True)
    return [(class_name(found.class_names, class_id), share) for class_id, share in pairs]


def label_names(class_names: Sequence[str]) -> dict[int, str]:
    """The name of each value that a label image may have."""
    return {NONE_LABEL: NONE_NAME} | {k + 1: name for k, name in enumerate(class_names)}


def label_image(
    found: SemanticMap, *, width_px: int, height_px: int
) -> UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]:
    """The label of every pixel of the frame's image: that of the cell which it lies in."""
    short = len(found.class_names) <= _MOST_SHORT_LABELS
    labels = (found.class_id + 1).astype(np.uint8 if short else np.uint16)
    rows = np.arange(height_px) * labels.shape[0] // height_px
    columns = np.arange(width_px) * labels.shape[1] // width_px
    return labels[rows][:, columns]


def shares_of(found: SemanticMap) -> list[tuple[int, str, float]]:
    """Label, name and share of the view of what is seen, by falling share; shares sum to one."""
    count = np.bincount(found.class_id.ravel() + 1)
    seen = sorted(np.flatnonzero(count).tolist(), key=lambda label: -int(count[label]))
    size = max(found.class_id.size, 1)
    return [
        (label, _label_name(found.class_names, label), float(count[label]) / size)
        for label in seen
    ]


def classification_json_of(found: Classification, *, frame_id: str) -> str:
    """`~/classification/json`: the likeliest classes of a frame, by falling probability."""
    return json.dumps(
        {
            "stamp_ns": found.stamp_ns,
            "frame_id": frame_id,
            "model": found.model_id,
            "classes": [
                {"class": name, "probability": round(share, 6)}
                for name, share in top_classes(found)
            ],
        }
    )


def segmentation_json_of(found: SemanticMap, *, frame_id: str) -> str:
    """`~/segmentation/json`: names of all labels, and the share of pixels of those seen."""
    return json.dumps(
        {
            "stamp_ns": found.stamp_ns,
            "frame_id": frame_id,
            "model": found.model_id,
            "labels": label_names(found.class_names),
            "classes": [
                {"label": label, "class": name, "share": round(share, 6)}
                for label, name, share in shares_of(found)
            ],
        }
    )


def _label_name(class_names: tuple[str, ...], label: int) -> str:
    return NONE_NAME if label == NONE_LABEL else class_name(class_names, label - 1)
