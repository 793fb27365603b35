"""Resizes pictures bit-identically to SAM's own processors.

Bilinear, smoothed where it shrinks, in fixed point: first along x, then along y, rounded to 8 bits
after each, with the weights of a pixel rounded to 16 bits (as Pillow and torch do it). Sums of
such products stay below 2**24, so that single precision adds them exactly in any order.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64, UInt8

_MOST_BITS = 22
_LARGEST_WEIGHT = 2**15


def resize_smoothly(
    rgb: UInt8[np.ndarray, "h w 3"], *, width_px: int, height_px: int
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The picture at this size."""
    height, width = rgb.shape[:2]
    if width != width_px:
        columns = _blended(rgb.transpose(1, 0, 2).reshape(width, -1), width_px)
        rgb = columns.reshape(width_px, height, 3).transpose(1, 0, 2)
    if height != height_px:
        rgb = _blended(rgb.reshape(height, -1), height_px).reshape(height_px, -1, 3)
    return np.ascontiguousarray(rgb)


def _blended(lines: UInt8[np.ndarray, "before m"], count: int) -> UInt8[np.ndarray, "after m"]:
    """Resamples to this many lines, each a blend of a few neighbouring ones."""
    first, weights, bits = _weights(len(lines), count)
    sums = np.full((count, lines.shape[1]), 1 << (bits - 1), np.float32)
    for tap in range(weights.shape[1]):
        line = np.minimum(first + tap, len(lines) - 1)  # beyond its last tap a weight is 0
        sums += weights[:, tap, None] * lines[line]
    return (sums / (1 << bits)).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=16)
def _weights(
    before: int, after: int
) -> tuple[Int64[np.ndarray, " after"], Float32[np.ndarray, "after taps"], int]:
    """For each output line: the first input line, integer weights from it on, and their bits."""
    scale = before / after
    support = max(scale, 1.0)
    centre = scale * (np.arange(after) + 0.5)
    first = np.maximum(np.floor(centre - support + 0.5), 0)
    end = np.minimum(np.floor(centre + support + 0.5), before)
    line = first[:, None] + np.arange(int((end - first).max()))
    weight = np.maximum(1 - np.abs(line - centre[:, None] + 0.5) / support, 0)
    weight = np.where(line < end[:, None], weight, 0)
    weight /= weight.sum(axis=1, keepdims=True)
    bits = _bits(float(weight.max()))
    return first.astype(np.int64), np.floor(weight * (1 << bits) + 0.5).astype(np.float32), bits


def _bits(largest: float) -> int:
    for bits in range(_MOST_BITS):
        if int(0.5 + largest * (1 << (bits + 1))) >= _LARGEST_WEIGHT:
            return bits
    return _MOST_BITS
