"""Draws the classes of a frame: a tint of the segmentation, and a legend of the most likely
ones."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.results.frame_classes import NONE_LABEL, shares_of, top_classes
from robot_vision.core.types import Classification, SemanticMap
from robot_vision.viz.palette import Rgb, color_of

TINT = 0.45
_MOST_NAMES = 3
_LEAST_SHARE = 0.005


def tint(image: UInt8[np.ndarray, "h w 3"], found: SemanticMap) -> None:
    """Tint pixels with the colour of their class, in place; pixels without a class are
    unchanged."""
    colors = class_colors(len(found.class_names))
    size = image.shape[1::-1]
    ids = cv2.resize(found.class_id.astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
    painted = colors[ids.clip(0) % len(colors)]
    mixed = cv2.addWeighted(image, 1 - TINT, painted, TINT, 0)
    image[...] = np.where(ids[..., None] >= 0, mixed, image)


def class_colors(count: int) -> UInt8[np.ndarray, "c 3"]:
    """The colour of each class: the colours of tracks, repeated."""
    return np.array([color_of(class_id) for class_id in range(max(count, 1))], np.uint8)


def legend(
    classes: Classification | None, parts: SemanticMap | None
) -> Sequence[tuple[str, Rgb | None]]:
    """Lines of text and their colours, if any; the most likely classes first."""
    lines: list[tuple[str, Rgb | None]] = []
    if classes is not None:
        named = top_classes(classes, most=_MOST_NAMES)
        lines += [(f"{name} {probability:.0%}", None) for name, probability in named]
    if parts is not None:
        seen = [row for row in shares_of(parts) if row[0] != NONE_LABEL and row[2] >= _LEAST_SHARE]
        lines += [
            (f"{name} {share:.0%}", color_of(k - 1)) for k, name, share in seen[:_MOST_NAMES]
        ]
    return lines
