"""Depth as written: 16-bit PNG in whole millimetres, which is what sensors give."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt16

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.images import MM_PER_M

_MAX_MM = 65534  # 65535 means saturation in sensors' images
# Measured at 640 × 480 with noise of 3 mm: level 1 costs 12 ms and 263 KB, level 6 75 ms and 245.
_PNG_LEVEL = 1


def depth_mm_from_m(depth_m: Float32[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """Whole millimetres; 0 where there is no depth or it is beyond 65.534 m."""
    with np.errstate(invalid="ignore"):
        depth_mm = np.rint(depth_m * np.float32(MM_PER_M))
        valid = (depth_mm > 0) & (depth_mm <= _MAX_MM)
    return np.where(valid, depth_mm, 0).astype(np.uint16)


def encode_depth(depth_mm: UInt16[np.ndarray, "h w"]) -> bytes:
    """A 16-bit PNG."""
    done, png = cv2.imencode(".png", depth_mm, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise DatasetError(f"cannot write depth of {depth_mm.shape} pixels as PNG")
    return png.tobytes()
