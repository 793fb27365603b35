"""Baseline methods of filling holes in a depth map."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.perception.depth.fill import fill_depth, nearest_depth

# Depth with NaN in its holes, and the colours of the same view.
Fill = Callable[
    [Float32[np.ndarray, "h w"], UInt8[np.ndarray, "h w 3"]], Float32[np.ndarray, "h w"]
]
_INPAINT_RADIUS_PX = 5


def guided(
    depth_m: Float32[np.ndarray, "h w"], rgb: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w"]:
    """The service's own method."""
    return fill_depth(depth_m, measured=np.isfinite(depth_m), rgb=rgb).depth_m


def nearest(
    depth_m: Float32[np.ndarray, "h w"],
    rgb: UInt8[np.ndarray, "h w 3"],  # noqa: ARG001 (one shape for all)
) -> Float32[np.ndarray, "h w"]:
    """The depth of the nearest valid pixel."""
    return nearest_depth(depth_m)[0]


def telea(
    depth_m: Float32[np.ndarray, "h w"],
    rgb: UInt8[np.ndarray, "h w 3"],  # noqa: ARG001
) -> Float32[np.ndarray, "h w"]:
    """OpenCV's inpainting by fast marching (Telea 2004), on millimetres."""
    hole = np.isnan(depth_m).view(np.uint8)
    millimetres = np.nan_to_num(depth_m * 1000).astype(np.uint16)
    filled = cv2.inpaint(millimetres, hole, _INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    return filled.astype(np.float32) / 1000


FILLS: dict[str, Fill] = {"guided": guided, "nearest": nearest, "inpainted": telea}
