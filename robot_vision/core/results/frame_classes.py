"""Classes of a whole frame, as published: label images, shares, one JSON text each.

Label 0 means no class, class k is label k + 1. The highest value of the image's type, which
`vision_msgs/LabelInfo` reserves for unlabelled pixels, is never used, so readers of either
convention agree.
"""

import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8, UInt16

from robot_vision.core.results.objects import class_name
from robot_vision.core.types import Classification, SemanticMap

NONE_LABEL, NONE_NAME = 0, "none"
MOST_CLASSES = 100
"""Maximum number of classes in a classification message: the most likely ones."""
# In an 8-bit image: without 0 (no class) and the reserved value.
_MOST_SHORT_LABELS = 254


def top_classes(found: Classification, *, most: int = MOST_CLASSES) -> list[tuple[str, float]]:
    """Name and probability of the most likely classes, in descending order."""
    pairs = zip(found.class_id[:most].tolist(), found.probability[:most].tolist(), strict=True)
    return [(class_name(found.class_names, class_id), share) for class_id, share in pairs]


def label_names(class_names: Sequence[str]) -> dict[int, str]:
    """The name of each possible value of a label image."""
    return {NONE_LABEL: NONE_NAME} | {k + 1: name for k, name in enumerate(class_names)}


def label_image(
    found: SemanticMap, *, width_px: int, height_px: int
) -> UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]:
    """The label of every pixel of the frame's image: that of the cell it lies in."""
    short = len(found.class_names) <= _MOST_SHORT_LABELS
    labels = (found.class_id + 1).astype(np.uint8 if short else np.uint16)
    rows = np.arange(height_px) * labels.shape[0] // height_px
    columns = np.arange(width_px) * labels.shape[1] // width_px
    return labels[rows][:, columns]


def shares_of(found: SemanticMap) -> list[tuple[int, str, float]]:
    """Label, name and share of the view of each class seen, largest first; shares sum to one."""
    count = np.bincount(found.class_id.ravel() + 1)
    seen = sorted(np.flatnonzero(count).tolist(), key=lambda label: -int(count[label]))
    size = max(found.class_id.size, 1)
    return [
        (label, _label_name(found.class_names, label), float(count[label]) / size)
        for label in seen
    ]


def classification_json_of(found: Classification, *, frame_id: str) -> str:
    """`~/classification/json`: the most likely classes of a frame, in descending order."""
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
