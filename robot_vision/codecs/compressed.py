"""Compressed images: JPEG and PNG colour, PNG and RVL depth, as image_transport sends them."""

import struct

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from robot_vision.codecs.bounded import decode_within
from robot_vision.codecs.depth import metres_from_raw, only_valid
from robot_vision.codecs.layout import Buffer, UnsupportedEncodingError, as_bytes
from robot_vision.codecs.rvl import decode_rvl
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

COMPRESSED_FORMATS = ("jpeg", "png")
COMPRESSED_DEPTH_FORMATS = (
    "16UC1; compressedDepth png",
    "16UC1; compressedDepth rvl",
    "32FC1; compressedDepth png",
    "32FC1; compressedDepth rvl",
    "16UC1; png compressed",
)
_PLAIN_DEPTH = ("16UC1", "mono16")
_DEPTH_TRANSPORTS = ("compressedDepth", "compressedDepth png", "compressedDepth rvl")

# compressed_depth_image_transport's ConfigHeader: format (enum), quantisation a and b.
_DEPTH_HEADER = struct.Struct("<iff")
_END_MARKS = {"jpeg": b"\xff\xd9", "png": b"IEND"}


def decode_compressed(
    data: Buffer, *, format: str, limits: InputLimits = DEFAULT_LIMITS
) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a JPEG or PNG. `format` is that of `sensor_msgs/CompressedImage`.

    A truncated file is refused, because decoders fill the rest with grey. Raises
    `UnsupportedEncodingError` for other formats and `EncodingError` for data that are damaged or
    larger than `limits`.
    """
    name = format.lower().replace("jpg", "jpeg")
    kind = next((kind for kind in COMPRESSED_FORMATS if kind in name), None)
    if kind is None or "compresseddepth" in name:
        raise UnsupportedEncodingError(format, kind="compressed", supported=COMPRESSED_FORMATS)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = _decode(as_bytes(data).tobytes(), flags, kind=kind, what=kind, limits=limits)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def is_depth_format(format: str) -> bool:
    """Whether a `CompressedImage` of this format holds depth, by its transport or its pixels."""
    encoding, _, transport = format.partition(";")
    is_png = "png" in transport and encoding.strip() == "16UC1"
    return "compressedDepth" in transport or is_png


def decode_compressed_depth(
    data: Buffer,
    *,
    format: str,
    raw_unit_m: float = 0.001,
    float_unit_m: float = 1.0,
    limits: InputLimits = DEFAULT_LIMITS,
) -> Float32[np.ndarray, "h w"]:
    """Depth in metres, NaN where invalid: PNG or RVL of `compressedDepth`, or a plain 16-bit PNG.

    32-bit depth was stored as quantised inverse depth; its parameters are in the header. Raises
    `UnsupportedEncodingError` for other formats and `EncodingError` for data that are damaged or
    larger than `limits`.
    """
    encoding, _, transport = format.partition(";")
    encoding, transport = encoding.strip(), transport.strip()
    memory = as_bytes(data)
    if "compressedDepth" not in transport:
        if "png" not in format.lower():
            raise UnsupportedEncodingError(
                format, kind="compressed depth", supported=COMPRESSED_DEPTH_FORMATS
            )
        return metres_from_raw(_depth_png(memory.tobytes(), limits), raw_unit_m=raw_unit_m)
    if encoding not in (*_PLAIN_DEPTH, "32FC1") or transport not in _DEPTH_TRANSPORTS:
        raise UnsupportedEncodingError(
            format, kind="compressed depth", supported=COMPRESSED_DEPTH_FORMATS
        )
    if memory.size <= _DEPTH_HEADER.size:
        raise EncodingError(f"{memory.size} bytes; expected a header of 12 bytes and an image")
    _, quant_a, quant_b = _DEPTH_HEADER.unpack(memory[: _DEPTH_HEADER.size].tobytes())
    packed = memory[_DEPTH_HEADER.size :].tobytes()
    is_rvl = transport.endswith("rvl")
    raw = decode_rvl(packed, limits=limits) if is_rvl else _depth_png(packed, limits)
    if encoding != "32FC1":
        return metres_from_raw(raw, raw_unit_m=raw_unit_m)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        depth_m = np.float32(quant_a) / (raw.astype(np.float32) - np.float32(quant_b))
        depth_m *= np.float32(float_unit_m)
    return only_valid(np.where(raw == 0, np.float32(np.nan), depth_m))


def _depth_png(data: bytes, limits: InputLimits) -> UInt16[np.ndarray, "h w"]:
    raw = _decode(data, cv2.IMREAD_UNCHANGED, kind="png", what="depth png", limits=limits)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise EncodingError(f"depth PNG of {raw.dtype} {raw.shape}; expected uint16, one channel")
    return raw


def _decode(data: bytes, flags: int, *, kind: str, what: str, limits: InputLimits) -> np.ndarray:
    if data.rfind(_END_MARKS[kind]) < 0:
        raise EncodingError(f"{what} of {len(data)} bytes is truncated: it has no end marker")
    return decode_within(data, flags, limits=limits, what=what)
