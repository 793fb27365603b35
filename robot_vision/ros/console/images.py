"""Numeric images from topics, as arrays; wrong sizes and numbers are refused."""

import numpy as np
from jaxtyping import Float32
from sensor_msgs.msg import Image

from robot_vision.core.errors import EncodingError

_MOST_PIXELS = 4096 * 4096
_MOST_CHANNELS = 1024
_FARTHEST_M = 1000.0
_LARGEST = 1e6


def depth_of(message: Image) -> Float32[np.ndarray, "h w"]:
    """Metres; NaN where unknown. Raises `EncodingError`."""
    depth_m = _grid(message)
    if depth_m.shape[2] != 1:
        raise EncodingError(f"depth of {depth_m.shape[2]} channels; expected one")
    depth_m = depth_m[..., 0]
    with np.errstate(invalid="ignore"):
        is_known = (depth_m > 0) & (depth_m <= _FARTHEST_M)
    return np.where(is_known, depth_m, np.float32(np.nan))


def weights_of(message: Image) -> Float32[np.ndarray, "h w"]:
    """Weights of attention. Raises `EncodingError`."""
    weight = _grid(message)
    if weight.shape[2] != 1:
        raise EncodingError(f"attention of {weight.shape[2]} channels; expected one")
    return np.nan_to_num(weight[..., 0], nan=0.0, posinf=0.0, neginf=0.0).clip(0, _LARGEST)


def features_of(message: Image) -> Float32[np.ndarray, "c h w"]:
    """The feature grid. Raises `EncodingError`."""
    grid = _grid(message)
    if grid.shape[0] * grid.shape[1] < 2:
        raise EncodingError(f"a feature grid of {grid.shape}; expected two cells or more")
    if not (np.abs(grid) <= _LARGEST).all():
        raise EncodingError(f"features that are not numbers, or beyond {_LARGEST:g}")
    return grid.transpose(2, 0, 1)


def _grid(message: Image) -> Float32[np.ndarray, "h w c"]:
    height, width = message.height, message.width
    pixels = height * width
    values, rest = divmod(len(message.data), 4)
    channels = values // pixels if pixels else 0
    fits = not rest and channels * pixels == values and not message.is_bigendian
    if not (fits and 0 < pixels <= _MOST_PIXELS and 0 < channels <= _MOST_CHANNELS):
        raise EncodingError(
            f"{width}×{height} px in {len(message.data)} bytes; expected 32-bit numbers of this "
            f"machine, for 1 to {_MOST_PIXELS} px of 1 to {_MOST_CHANNELS} channels"
        )
    return np.frombuffer(message.data, np.float32).reshape(height, width, channels)
