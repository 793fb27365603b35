"""Boxes cut by the image's border: their visible part does not show how far they extend."""

import numpy as np
from jaxtyping import Bool, Float

# A detector puts the cut edge a little inside the border: by this share of the box.
SLACK = 0.04
SLACK_PX = 1.0


def cut_sides(
    box_xyxy_px: Float[np.ndarray, "n 4"], image_size_px: tuple[int, int] | None
) -> Bool[np.ndarray, "n 4"]:
    """Which of left, top, right and bottom end at the border of an image (width, height)."""
    if image_size_px is None:
        return np.zeros(box_xyxy_px.shape, bool)
    low, high = box_xyxy_px[:, :2], box_xyxy_px[:, 2:]
    slack = SLACK * (high - low) + SLACK_PX
    return np.concatenate([low <= slack, high >= np.array(image_size_px) - slack], axis=1)


def whole_boxes(
    box_cxcywh_px: Float[np.ndarray, "n 4"],
    cut: Bool[np.ndarray, "n 4"],
    *,
    size_px: Float[np.ndarray, "n 2"],
) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n 2"]]:
    """Boxes extended beyond the border to their known `size_px`, and by how much."""
    missing = np.maximum(size_px - box_cxcywh_px[:, 2:], 0.0) * cut_axes(cut)
    centre = box_cxcywh_px[:, :2] + outwards(cut) * missing / 2
    return np.concatenate([centre, box_cxcywh_px[:, 2:] + missing], axis=1), missing


def cut_axes(cut: Bool[np.ndarray, "n 4"]) -> Bool[np.ndarray, "n 2"]:
    """Whether boxes are cut across and down, on either side."""
    return cut[:, :2] | cut[:, 2:]


def outwards(cut: Bool[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 2"]:
    """Where the hidden part of a box lies, across and down: −1 before it, 1 after it, 0 both."""
    return cut[:, 2:].astype(np.float64) - cut[:, :2]


def within_image(
    box_xyxy_px: Float[np.ndarray, "n 4"], image_size_px: tuple[int, int] | None
) -> Float[np.ndarray, "n 4"]:
    """Boxes cut at the border of an image (width, height); those beyond it stay as they are."""
    if image_size_px is None:
        return box_xyxy_px
    limit = np.array([*image_size_px, *image_size_px], np.float64)
    inside = np.clip(box_xyxy_px, 0.0, limit)
    seen = (inside[:, 2:] > inside[:, :2]).all(axis=1, keepdims=True)
    return np.where(seen, inside, box_xyxy_px)
