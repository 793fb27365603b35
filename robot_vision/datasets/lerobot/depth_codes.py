"""Depth that LeRobot writes as video: 12-bit codes of metres, on a linear or logarithmic scale.

After `dequantize_depth` of LeRobot's `depth_utils.py`. The ends of the scale stand for everything
beyond them, including missing depth, and are invalid here.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt16

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.images import MM_PER_M

_HIGHEST = 4095
_MOST_MM = 65_534
_DEFAULTS = {"depth_min": 0.01, "depth_max": 10.0, "shift": 3.5}  # metres


def depth_mm_of_codes(
    codes: UInt16[np.ndarray, "h w"], info: Mapping[str, Any]
) -> UInt16[np.ndarray, "h w"]:
    """Whole millimetres, 0 invalid. Raises `DatasetError` for an impossible scale."""
    lowest_m, highest_m, shift_m = (_metres(info, name) for name in _DEFAULTS)
    if not -shift_m < lowest_m < highest_m:
        raise DatasetError(
            f"depth is coded from {lowest_m:g} to {highest_m:g} m, shifted by {shift_m:g} m: "
            "expected a scale that rises above 0"
        )
    share = codes / np.float32(_HIGHEST)
    if info.get("video.use_log", True):
        low, high = math.log(lowest_m + shift_m), math.log(highest_m + shift_m)
        depth_m = np.exp(low + share * (high - low)) - shift_m
    else:
        depth_m = lowest_m + share * (highest_m - lowest_m)
    depth_mm = np.rint(depth_m * MM_PER_M)
    valid = (codes > 0) & (codes < _HIGHEST) & (depth_mm > 0) & (depth_mm <= _MOST_MM)
    return np.where(valid, depth_mm, 0).astype(np.uint16)


def _metres(info: Mapping[str, Any], name: str) -> float:
    value = info.get(f"video.{name}", _DEFAULTS[name])
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise DatasetError(f"video.{name} is {quoted(value)}, expected metres")
    return float(value)
