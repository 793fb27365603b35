"""Resizes pictures to a policy's input size: one function for training and for service."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8


def stretched(
    rgb: UInt8[np.ndarray, "h w 3"], *, width_px: int, height_px: int
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture at that size, aspect ratio not kept; averages areas where it shrinks."""
    height, width = rgb.shape[:2]
    if (height, width) == (height_px, width_px):
        return rgb
    shrinks = width_px < width or height_px < height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(rgb, (width_px, height_px), interpolation=how)


def stretched_depth(
    depth_m: Float32[np.ndarray, "h w"], *, width_px: int, height_px: int
) -> Float32[np.ndarray, "h2 w2"]:
    """Depth at that size, by nearest pixel: a mean of near and far is a point where nothing is.

    Invalid depth (0, negative, not finite) becomes 0.
    """
    valid_m = np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(0.0))
    return cv2.resize(valid_m, (width_px, height_px), interpolation=cv2.INTER_NEAREST)
