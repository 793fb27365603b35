"""Pictures at the size that a policy takes them: one function for training and for service."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8


def stretched(
    rgb: UInt8[np.ndarray, "h w 3"], *, width_px: int, height_px: int
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """A picture of that size, its ratio not kept: means of areas where it shrinks."""
    height, width = rgb.shape[:2]
    if (height, width) == (height_px, width_px):
        return rgb
    shrinks = width_px <= width and height_px <= height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width_px, height_px), interpolation=how)


def stretched_depth(
    depth_m: Float32[np.ndarray, "h w"], *, width_px: int, height_px: int
) -> Float32[np.ndarray, "h2 w2"]:
    """Depth of that size: the nearest pixel's, for means of near and far are nowhere.

    What is not measured (0, negative, not finite) is 0.
    """
    height, width = depth_m.shape
    rows = (np.arange(height_px) * 2 + 1) * height // (2 * height_px)
    columns = (np.arange(width_px) * 2 + 1) * width // (2 * width_px)
    picked = depth_m[rows[:, None], columns]
    return np.where(np.isfinite(picked) & (picked > 0), picked, np.float32(0.0))
