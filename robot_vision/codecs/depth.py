"""Raw depth images as metres along the optical axis, NaN where invalid (REP 117, REP 118)."""

import numpy as np
from jaxtyping import Float, Float32, UInt16

from robot_vision.codecs.layout import Buffer, UnsupportedEncodingError, pixels
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

_DTYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4", "64FC1": "f8"}

DEPTH_ENCODINGS = tuple(_DTYPES)

# Sensors write 0 for "no return"; 65535 is saturation.
_SATURATED = 65535


def decode_depth(
    data: Buffer,
    *,
    encoding: str,
    width_px: int,
    height_px: int,
    step: int,
    is_bigendian: bool = False,
    raw_unit_m: float = 0.001,
    float_unit_m: float = 1.0,
    limits: InputLimits = DEFAULT_LIMITS,
) -> Float32[np.ndarray, "h w"]:
    """Depth in metres of a raw depth image; 32FC1 without invalid pixels is not copied.

    `raw_unit_m` is the unit of 16-bit depth, `float_unit_m` that of other depth. Raises
    `UnsupportedEncodingError` for an encoding that is not in `DEPTH_ENCODINGS`, `EncodingError`
    if the bytes do not fit it or the image is larger than `limits`.
    """
    if encoding not in _DTYPES:
        raise UnsupportedEncodingError(encoding, kind="depth", supported=DEPTH_ENCODINGS)
    raw = pixels(
        data,
        dtype=_DTYPES[encoding],
        channels=1,
        width_px=width_px,
        height_px=height_px,
        step=step,
        is_bigendian=is_bigendian,
        limits=limits,
    )
    if raw.dtype == np.uint16:
        return metres_from_raw(raw, raw_unit_m=raw_unit_m)
    return only_valid(raw if float_unit_m == 1 else raw * np.float32(float_unit_m))


def metres_from_raw(
    raw: UInt16[np.ndarray, "h w"], *, raw_unit_m: float
) -> Float32[np.ndarray, "h w"]:
    """Metres of 16-bit depth; 0 and 65535 are invalid."""
    depth_m = raw * np.float32(raw_unit_m)
    np.copyto(depth_m, np.nan, where=(raw == 0) | (raw == _SATURATED))
    return depth_m


def only_valid(depth: Float[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Depth in metres with NaN wherever it is not finite and above zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        depth_m = depth.astype(np.float32, copy=False)
        valid = (depth_m > 0) & (depth_m < np.inf)
    if valid.all():
        return depth_m
    return np.where(valid, depth_m, np.float32(np.nan))
