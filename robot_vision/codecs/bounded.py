"""The only way to decode an image: its header is checked before any pixel is decoded.

C code cannot be stopped within a process, so time is bounded by its causes: the pixels, and
the number of scans of a progressive JPEG.
"""

import struct
from collections.abc import Container
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped

from robot_vision.codecs.header import PNG_MAGIC, read_header
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

# OpenCV warps and remaps with 16-bit coordinates.
LONGEST_SIDE_PX = 32_767
# A progressive JPEG has about ten scans; the largest image may have that many, a small one more.
SCANS_OF_THE_LARGEST = 12
# Text, profiles and the further pictures of an animation: decoders unpack them, nothing uses them.
_PNG_LEFT_OUT = frozenset({b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT"})
_CHUNK = struct.Struct(">I4s")


def decode_within(
    data: bytes, flags: int, *, limits: InputLimits = DEFAULT_LIMITS, what: str = "image"
) -> Shaped[np.ndarray, "h w *c"]:
    """Pixels as `cv2.imdecode` gives them (BGR). Raises `EncodingError` that names `what`."""
    if len(data) > limits.encoded_bytes:
        raise EncodingError(
            f"{what} of {len(data)} bytes; at most {limits.encoded_bytes} are decoded "
            "(limits.encoded_mb)"
        )
    try:
        header = read_header(data)
    except EncodingError as error:
        raise EncodingError(f"{what}: {error}") from error
    check_size(header.width_px, header.height_px, limits=limits, what=what)
    work_px = header.scans * header.width_px * header.height_px
    if work_px > SCANS_OF_THE_LARGEST * limits.image_px:
        raise EncodingError(
            f"{what} of {header.width_px}×{header.height_px} px in {header.scans} scans; at most "
            f"{SCANS_OF_THE_LARGEST} scans of {limits.image_mpx:g} megapixels, or more of a "
            "smaller image, are decoded (limits.image_mpx)"
        )
    plain = png_without(data, _PNG_LEFT_OUT) if header.kind == "PNG" else data
    try:
        image = cv2.imdecode(np.frombuffer(plain, np.uint8), flags)
    except cv2.error as error:
        raise EncodingError(f"{what} of {len(data)} bytes cannot be decoded: {error}") from error
    size = (header.height_px, header.width_px)  # or rotated, as the EXIF of a photograph requests
    if image is None or sorted(image.shape[:2]) != sorted(size):
        raise EncodingError(f"{what} of {len(data)} bytes is damaged: it cannot be decoded")
    return image


def read_image(
    path: Path, flags: int, *, limits: InputLimits = DEFAULT_LIMITS
) -> Shaped[np.ndarray, "h w *c"]:
    """Pixels of an image file as `cv2.imread` gives them; raises `EncodingError`."""
    try:
        with path.open("rb") as file:
            data = file.read(limits.encoded_bytes + 1)
    except OSError as error:
        raise EncodingError(f"{path} cannot be read: {error}") from error
    return decode_within(data, flags, limits=limits, what=str(path))


def check_size(width_px: int, height_px: int, *, limits: InputLimits, what: str) -> None:
    """Raises `EncodingError` if an image is empty or larger than `limits` allow."""
    if not (0 < width_px <= LONGEST_SIDE_PX and 0 < height_px <= LONGEST_SIDE_PX):
        raise EncodingError(
            f"{what} of {width_px}×{height_px} px; expected sides from 1 to {LONGEST_SIDE_PX} px"
        )
    if width_px * height_px > limits.image_px:
        raise EncodingError(
            f"{what} of {width_px}×{height_px} px; at most {limits.image_mpx:g} megapixels are "
            "decoded (limits.image_mpx)"
        )


def png_without(png: bytes, left_out: Container[bytes]) -> bytes:
    """The PNG without the chunks of these names."""
    kept: list[memoryview] = []
    begin, at, memory = 0, len(PNG_MAGIC), memoryview(png)
    while at + _CHUNK.size <= len(png):
        length, name = _CHUNK.unpack_from(png, at)
        end = at + _CHUNK.size + length + 4
        if name in left_out:
            kept.append(memory[begin:at])
            begin = end
        at = end
    return b"".join([*kept, memory[begin:]]) if kept else png
