"""Antialiased resizing, byte for byte like Pillow: public models were trained with it."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int32, UInt8
from scipy.sparse import csr_matrix

Filter = Literal["antialiased_linear", "antialiased_cubic"]

# Pillow uses integers: weights are multiples of 2^-22, and each pass rounds to a byte.
_BITS = 22


class Resampler:
    """Resizes pictures of one size to another; sizes are width and height in pixels."""

    def __init__(
        self, filter: Filter, *, from_px: tuple[int, int], to_px: tuple[int, int]
    ) -> None:
        self._across, self._down = (
            None if length == wanted else _weights(filter, length, wanted)
            for length, wanted in zip(from_px, to_px, strict=True)
        )

    def __call__(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        if self._across is not None:
            rgb = _along_rows(self._across, rgb.swapaxes(0, 1)).swapaxes(0, 1)
        return rgb if self._down is None else _along_rows(self._down, rgb)


def _along_rows(weights: csr_matrix, picture: UInt8[np.ndarray, "n m 3"]) -> np.ndarray:
    """Each new row is a weighted sum of rows, rounded and clipped."""
    rows = picture.reshape(len(picture), -1).astype(np.int32)
    found: Int32[np.ndarray, "n2 m3"] = weights @ rows
    found += 1 << (_BITS - 1)
    found >>= _BITS
    np.clip(found, 0, 255, out=found)
    return found.astype(np.uint8).reshape(-1, *picture.shape[1:])


def _weights(filter: Filter, length: int, wanted: int) -> csr_matrix:
    """Rows of weights of old pixels in each new one."""
    kernel, support = _KERNELS[filter]
    scale = length / wanted
    widened = max(scale, 1.0)
    centre = (np.arange(wanted) + 0.5) * scale
    first = np.maximum((centre - support * widened + 0.5).astype(int), 0)
    end = np.minimum((centre + support * widened + 0.5).astype(int), length)
    row = np.repeat(np.arange(wanted), end - first)
    column = np.concatenate([np.arange(a, b) for a, b in zip(first, end, strict=True)])
    weight = kernel(np.abs(column - centre[row] + 0.5) / widened)
    weight /= np.bincount(row, weight, wanted)[row]
    whole = np.trunc(weight * (1 << _BITS) + np.copysign(0.5, weight)).astype(np.int32)
    return csr_matrix((whole, (row, column)), shape=(wanted, length))


def _triangle(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return np.maximum(1 - x, 0)


def _cubic(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Of Keys, with a slope of -0.5 where it ends at 1."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_Kernel = Callable[[Float64[np.ndarray, " n"]], Float64[np.ndarray, " n"]]
_KERNELS: dict[Filter, tuple[_Kernel, float]] = {
    "antialiased_linear": (_triangle, 1.0),
    "antialiased_cubic": (_cubic, 2.0),
}
