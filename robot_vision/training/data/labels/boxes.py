"""Boxes from label files, combined into an image of a detection set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from robot_vision.training.data.labels.labelled import Annotated

# More would cost memory for all images: labels are padded to the largest number in any image.
MOST_BOXES_AN_IMAGE = 10_000


@dataclass(frozen=True, kw_only=True)
class LabelledBox:
    """An object: corners in pixels, the row of its class, and a polygon x, y, x, y … if drawn."""

    xyxy_px: tuple[float, float, float, float]
    class_id: int
    polygon_px: tuple[float, ...] = ()
    is_crowd: bool = False


def annotated(
    file: Path, boxes: Sequence[LabelledBox], *, image_id: int, width_px: int, height_px: int
) -> Annotated:
    """An image with its boxes, those of crowds separate."""
    shown = [box for box in boxes if not box.is_crowd]
    crowd = [box for box in boxes if box.is_crowd]
    return Annotated(
        image_id=image_id,
        width_px=width_px,
        height_px=height_px,
        rgb_file=file,
        box_xyxy_px=_corners(shown),
        class_id=np.array([box.class_id for box in shown], np.int64),
        color=("",) * len(shown),
        segmentation=tuple([list(box.polygon_px)] if box.polygon_px else None for box in shown),
        visible_share=np.ones(len(shown), np.float32),
        crowd_xyxy_px=_corners(crowd),
        crowd_class_id=np.array([box.class_id for box in crowd], np.int64),
    )


def _corners(boxes: Sequence[LabelledBox]) -> Float32[np.ndarray, "n 4"]:
    return np.array([box.xyxy_px for box in boxes], np.float32).reshape(-1, 4)
