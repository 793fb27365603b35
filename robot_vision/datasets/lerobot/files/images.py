"""Depth as 16-bit PNG in whole millimetres (REP 118), which is what sensors give."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt16

from robot_vision.codecs.bounded import decode_within
from robot_vision.core.errors import EncodingError
from robot_vision.datasets.errors import DatasetError

MM_PER_M = 1000.0


def decode_depth_mm(png: bytes, *, of: str) -> UInt16[np.ndarray, "h w"]:
    """Millimetres, 0 invalid. Raises `DatasetError` that names `of`."""
    try:
        depth_mm = decode_within(png, cv2.IMREAD_UNCHANGED)
    except EncodingError as error:
        raise DatasetError(f"{of}: expected a 16-bit PNG of depth, found {error}") from error
    if depth_mm.dtype != np.uint16 or depth_mm.ndim != 2:
        found = f"{depth_mm.dtype} {depth_mm.shape}"
        raise DatasetError(f"{of}: expected a 16-bit PNG of depth, found {found}")
    return depth_mm


def depth_m_from_mm(depth_mm: UInt16[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Metres, NaN invalid."""
    depth_m = depth_mm.astype(np.float32) / np.float32(MM_PER_M)
    depth_m[depth_mm == 0] = np.nan
    return depth_m
