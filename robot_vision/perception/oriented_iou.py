"""Overlap of oriented boxes."""

import cv2
import numpy as np
from jaxtyping import Float, Float64

from robot_vision.core.boxes import oriented_corners


def oriented_iou(
    one: Float[np.ndarray, "5"], others: Float[np.ndarray, "n 5"]
) -> Float64[np.ndarray, " n"]:
    """Intersection over union of one box with others: centre, size (px, above 0), angle (rad)."""
    # In the box's own frame, to keep precision with OpenCV's single floats.
    polygon = _corners(one[None], origin=one[:2])[0]
    shared = [
        cv2.intersectConvexConvex(polygon, other)[0] for other in _corners(others, origin=one[:2])
    ]
    area = others[:, 2] * others[:, 3].astype(np.float64)
    return np.array(shared) / (area + float(one[2]) * float(one[3]) - np.array(shared))


def _corners(oriented_box_px: np.ndarray, *, origin: np.ndarray) -> np.ndarray:
    """Corners [n, 4, 2] in order, relative to `origin`."""
    moved = oriented_box_px.astype(np.float64)
    moved[:, :2] -= origin
    return oriented_corners(moved).astype(np.float32)
