"""Pixels in memory: rows with padding, in either byte order, checked and viewed without a copy."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Shaped, UInt8

from robot_vision.codecs.bounded import check_size
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import InputLimits

# Types that ROS messages and bags hold: bytes, memoryview, array('B') or a NumPy array.
Buffer: TypeAlias = object


class UnsupportedEncodingError(EncodingError):
    """An encoding that is not handled here; `cv_bridge` may know it (`encoding` names it)."""

    def __init__(self, encoding: str, *, kind: str, supported: Sequence[str]) -> None:
        self.encoding = encoding
        super().__init__(
            f"{kind} encoding {encoding!r} is not supported; supported: {', '.join(supported)}"
        )


def as_bytes(data: Buffer) -> UInt8[np.ndarray, " n"]:
    """The bytes of `data` as a u8 view; raises `EncodingError` if it is not a block of memory."""
    try:
        return np.frombuffer(data, np.uint8)  # pyright: ignore[reportCallIssue, reportArgumentType]
    except (TypeError, ValueError, BufferError) as error:
        raise EncodingError(f"expected a block of bytes: {error}") from error


def pixels(
    data: Buffer,
    *,
    dtype: str,
    channels: int,
    width_px: int,
    height_px: int,
    step: int,
    is_bigendian: bool,
    limits: InputLimits,
) -> Shaped[np.ndarray, "{height_px} {width_px} *c"]:
    """View of [H, W] (one channel) or [H, W, C] pixels in native byte order.

    Copies only where the byte order is not the machine's or pixels are not aligned. Raises
    `EncodingError` where the size, `step` and the number of bytes contradict each other, or
    `limits` are exceeded.
    """
    file_dtype = np.dtype(dtype).newbyteorder(">" if is_bigendian else "<")
    row_bytes = width_px * channels * file_dtype.itemsize
    check_size(width_px, height_px, limits=limits, what="image")
    if step < row_bytes:
        raise EncodingError(
            f"step is {step} bytes; {width_px} px × {channels} × {file_dtype.itemsize} bytes "
            f"need at least {row_bytes}"
        )
    memory = as_bytes(data)
    if memory.size != step * height_px:
        raise EncodingError(
            f"{memory.size} bytes; step {step} × height {height_px} makes {step * height_px}"
        )
    shape, strides = (height_px, width_px), (step, channels * file_dtype.itemsize)
    if channels > 1:
        shape, strides = (*shape, channels), (*strides, file_dtype.itemsize)
    view = np.ndarray(shape, file_dtype, buffer=memory, strides=strides)
    # OpenCV reads rows at odd addresses wrongly, so wide pixels must be aligned.
    return np.require(view, file_dtype.newbyteorder("="), ["ALIGNED"])
