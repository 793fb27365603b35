"""Images in Parquet files: colour, and depth as 16-bit PNG in whole millimetres (REP 118)."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from robot_vision.codecs.bounded import decode_within
from robot_vision.core.errors import EncodingError
from robot_vision.datasets.errors import DatasetError

MM_PER_M = 1000.0


def decode_image(
    stored: bytes, *, of: str
) -> UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w"]:
    """RGB of any picture, or the millimetres of 16-bit grey, which is depth.

    Raises `DatasetError` that names `of`.
    """
    pixels = _decoded(stored, of=of, expected="an image")
    if pixels.ndim == 2 and pixels.dtype == np.uint16:
        return pixels
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise DatasetError(f"{of}: expected 8 or 16 bits per channel, found {pixels.dtype}")
    to_rgb = {2: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    return cv2.cvtColor(pixels, to_rgb[2 if pixels.ndim == 2 else pixels.shape[2]])


def decode_depth_mm(stored: bytes, *, of: str) -> UInt16[np.ndarray, "h w"]:
    """Millimetres, 0 invalid. Raises `DatasetError` that names `of`."""
    expected = "a 16-bit PNG of depth"
    depth_mm = _decoded(stored, of=of, expected=expected)
    if depth_mm.dtype != np.uint16 or depth_mm.ndim != 2:
        found = f"{depth_mm.dtype} {depth_mm.shape}"
        raise DatasetError(f"{of}: expected {expected}, found {found}")
    return depth_mm


def _decoded(stored: bytes, *, of: str, expected: str) -> np.ndarray:
    if not stored:
        raise DatasetError(f"{of}: expected {expected}, found no bytes in the Parquet file")
    try:
        return decode_within(stored, cv2.IMREAD_UNCHANGED)
    except EncodingError as error:
        raise DatasetError(f"{of}: expected {expected}, found {error}") from error


def depth_m_from_mm(depth_mm: UInt16[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Metres, NaN invalid."""
    depth_m = depth_mm.astype(np.float32) / np.float32(MM_PER_M)
    depth_m[depth_mm == 0] = np.nan
    return depth_m
