"""A step's picture: converts its bytes to colour, or to depth in metres."""

import zlib

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.codecs.bounded import check_size, decode_within
from robot_vision.codecs.compressed import decode_compressed
from robot_vision.codecs.depth import metres_from_raw, only_valid
from robot_vision.codecs.header import read_header
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.datasets.rlds.features import Feature

# TFDS writes a float picture as a four-channel PNG of the bytes of each float, R first.
_RGBA_OF_BGRA = (2, 1, 0, 3)


def colour_of(data: bytes, feature: Feature, *, limits: InputLimits) -> UInt8[np.ndarray, "h w 3"]:
    """RGB; raises `EncodingError` for data that are damaged, or larger than `limits`."""
    if feature.kind == "tensor":
        return _tensor(data, feature, limits)
    kind = read_header(data).kind
    return decode_compressed(data, format=kind.lower(), limits=limits)


def depth_of(
    data: bytes, feature: Feature, *, raw_unit_m: float, float_unit_m: float, limits: InputLimits
) -> Float32[np.ndarray, "h w"]:
    """Metres along the optical axis, NaN where invalid; raises `EncodingError`.

    `raw_unit_m` is the unit of integers, `float_unit_m` that of floats.
    """
    if feature.kind == "tensor":
        raw = _tensor(data, feature, limits)
    else:
        raw = decode_within(data, cv2.IMREAD_UNCHANGED, limits=limits, what=feature.short)
        if raw.dtype == np.uint8 and raw.ndim == 3 and raw.shape[2] == 4:
            raw = np.ascontiguousarray(raw[..., _RGBA_OF_BGRA]).view("<f4")
    raw = raw[..., 0] if raw.ndim == 3 and raw.shape[2] == 1 else raw
    if raw.ndim != 2 or raw.dtype == np.uint8:
        raise EncodingError(
            f"{feature.short} is {raw.dtype} {raw.shape}; expected one channel, 16 bits or floats"
        )
    if raw.dtype == np.uint16:
        return metres_from_raw(raw, raw_unit_m=raw_unit_m)
    return only_valid(raw.astype(np.float32) * np.float32(float_unit_m))


def tensor_bytes(data: bytes, feature: Feature, *, limits: InputLimits) -> bytes:
    """The content of a tensor in TFDS's encoding ("bytes", "zlib"); raises `EncodingError`."""
    if feature.encoding != "zlib":
        return data
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, limits.encoded_bytes)
    except zlib.error as error:
        raise EncodingError(f"{feature.short}: zlib is damaged: {error}") from error
    if not unpacker.eof:
        raise EncodingError(
            f"{feature.short} is truncated, or unpacks to more than {limits.encoded_bytes} bytes "
            "(limits.encoded_mb)"
        )
    return plain


def _tensor(data: bytes, feature: Feature, limits: InputLimits) -> np.ndarray:
    height_px, width_px = feature.shape[:2]
    check_size(width_px, height_px, limits=limits, what=feature.short)
    # A list of floats has 32 bits each, whatever the tensor had.
    dtype = "float32" if feature.encoding == "none" else feature.dtype
    plain = tensor_bytes(data, feature, limits=limits)
    wanted = int(np.prod(feature.shape)) * np.dtype(dtype).itemsize
    if len(plain) != wanted:
        raise EncodingError(f"{feature.short} has {len(plain)} bytes; expected {wanted}")
    return np.frombuffer(plain, np.dtype(dtype).newbyteorder("<")).reshape(feature.shape)
