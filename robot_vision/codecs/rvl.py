"""RVL, the lossless compression of 16-bit depth in `compressedDepth rvl` (Wilson, ISS 2017).

Runs of zeros and of values alternate; values are differences from the one before. All numbers are
written three bits at a time, the lowest first, each with a bit that says whether more follow;
eight such nibbles make a word of 32 bits, the highest first.
"""

import struct

import numpy as np
from jaxtyping import UInt16

from robot_vision.codecs.bounded import check_size
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS, InputLimits

_SIZE = struct.Struct("<II")
# 16 bits, and the sign that goes with them: six nibbles.
_MOST_NIBBLES = 11


def decode_rvl(data: bytes, *, limits: InputLimits = DEFAULT_LIMITS) -> UInt16[np.ndarray, "h w"]:
    """The image; raises `EncodingError` for data that are damaged or larger than `limits`."""
    if len(data) < _SIZE.size:
        raise EncodingError(f"RVL of {len(data)} bytes; expected at least {_SIZE.size}")
    width_px, height_px = _SIZE.unpack_from(data)
    check_size(width_px, height_px, limits=limits, what="RVL depth")
    # Whatever the content, a pixel with its runs takes less than two words.
    packed = data[_SIZE.size : _SIZE.size + 8 * (width_px * height_px + 2)]
    numbers = _numbers(packed)
    return _pixels(numbers, width_px * height_px).reshape(height_px, width_px)


def _numbers(packed: bytes) -> np.ndarray:
    """All numbers of the stream; an incomplete last one is left out."""
    words = np.frombuffer(packed, "<u4", count=len(packed) // 4)
    nibbles = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32) & 0xF).ravel()
    ends = np.flatnonzero(nibbles < 8)
    begins = np.concatenate([[0], ends[:-1] + 1]) if ends.size else ends
    lengths = ends - begins + 1
    if lengths.max(initial=0) > _MOST_NIBBLES:
        raise EncodingError("RVL depth is damaged: a number has more than 32 bits")
    nibbles = nibbles[: ends[-1] + 1] if ends.size else nibbles[:0]
    place = np.arange(nibbles.size) - np.repeat(begins, lengths)
    parts = (nibbles.astype(np.int64) & 7) << (3 * place)
    return np.add.reduceat(parts, begins) if begins.size else parts


def _pixels(numbers: np.ndarray, count: int) -> np.ndarray:
    """Runs are found one after the other; differences are summed all at once."""
    filled = np.zeros(count, bool)
    chosen = np.zeros(numbers.size, bool)
    values = numbers.tolist()
    at = pixel = 0
    while pixel < count:
        if at + 1 >= len(values):
            raise EncodingError(f"RVL depth ends after {pixel} of {count} pixels")
        zeros, run = values[at], values[at + 1]
        pixel += zeros
        if zeros + run == 0 or pixel + run > count or at + 2 + run > len(values):
            raise EncodingError(
                f"RVL depth is damaged: a run of {run} at pixel {pixel} of {count}"
            )
        filled[pixel : pixel + run] = True
        chosen[at + 2 : at + 2 + run] = True
        pixel += run
        at += 2 + run
    zigzag = numbers[chosen]
    steps = (zigzag >> 1) ^ -(zigzag & 1)
    image = np.zeros(count, np.uint16)
    image[filled] = np.cumsum(steps) & 0xFFFF
    return image
