"""Fills holes of a depth sensor from the surrounding depth, guided by colour.

Close to a measured pixel its depth is the best guess; farther away, inverse depth, which is linear
on planes, diffuses in from all sides and hardly across colour edges (anisotropic diffusion, Perona
and Malik 1990), at an eighth of the size. `robot-vision bench depth-fill` compares it with other
methods.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from robot_vision.core.types import ROUGH

# Width of the ring around measured pixels that is filled at full size; the rest is filled at half.
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
# Only the nearest depth counts up to the first distance, only the diffused one from the last.
_NEAREST_UP_TO_PX, _FLOWN_FROM_PX = 4.0, 20.0
_STEPS = 10
_BEYOND = np.float32(1.5)
# Colour difference, summed over channels (0 to 765), that reduces the flow e times.
_COLOR_SCALE = 12.0
# Flow across the strongest edge, so that every hole gets depth from somewhere.
_LEAST_FLOW = 1e-3
# Confidence next to a measured pixel, and the share of the image width over which it falls e times
# towards that of depth from colour alone.
_FILLED_CONFIDENCE, _CONFIDENCE_SHARE = 0.5, 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Filled:
    """Depth without holes; its confidence is 1 where measured, and decreases with distance
    elsewhere."""

    depth_m: Float32[np.ndarray, "h w"]
    confidence: Float32[np.ndarray, "h w"]


def fill_depth(
    depth_m: Float32[np.ndarray, "h w"],
    *,
    measured: Bool[np.ndarray, "h w"],
    rgb: UInt8[np.ndarray, "hc wc 3"],
) -> Filled:
    """Fill pixels that are not `measured`; both images show the same view. At least one pixel must
    be measured.

    Measured pixels are unchanged.
    """
    height, width = depth_m.shape
    ringed_m = _with_ring(depth_m, measured)
    half_m = _halved(ringed_m)
    nearest_m, half_distance = nearest_depth(half_m)
    flown_m = _flown(nearest_m, is_fixed=half_m > 0, rgb=rgb)
    first, last = _NEAREST_UP_TO_PX / 2, _FLOWN_FROM_PX / 2
    share = (half_distance - first) * np.float32(1 / (last - first))
    np.clip(share, 0, 1, out=share)
    share *= flown_m - nearest_m
    share += nearest_m
    filled_m = _at_size(share, width, height)
    cv2.copyTo(ringed_m, cv2.dilate(measured.view(np.uint8), _CROSS), filled_m)
    return Filled(depth_m=filled_m, confidence=_confidence(half_distance, measured))


def filled_confidence(
    depth_m: Float32[np.ndarray, "h w"], *, measured: Bool[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w"]:
    """The confidence as in `fill_depth`, for holes filled by another method."""
    half_m = _halved(_with_ring(depth_m, measured))
    return _confidence(nearest_depth(half_m)[1], measured)


def _confidence(half_distance: np.ndarray, measured: np.ndarray) -> Float32[np.ndarray, "h w"]:
    height, width = measured.shape
    confidence = _at_size(_worth(half_distance, width), width, height)
    return np.maximum(confidence, measured, out=confidence)


def _worth(half_distance: np.ndarray, width: int) -> Float32[np.ndarray, "h w"]:
    fall = np.float32(-2 / (_CONFIDENCE_SHARE * width))
    # Twice as fast as NumPy's.
    worth = cv2.exp(half_distance * fall)
    worth *= np.float32(_FILLED_CONFIDENCE - ROUGH)
    worth += np.float32(ROUGH)
    return worth


def _with_ring(depth_m: np.ndarray, measured: np.ndarray) -> Float32[np.ndarray, "h w"]:
    """Depth dilated by a pixel, 0 beyond; takes the farthest neighbour, as near objects cast
    holes."""
    is_measured = measured.view(np.uint8)
    ringed_m = cv2.dilate(cv2.copyTo(depth_m, is_measured), _CROSS)
    return cv2.copyTo(depth_m, is_measured, ringed_m)


def _halved(ringed_m: np.ndarray) -> Float32[np.ndarray, "h w"]:
    """Every other pixel; with a wider ring if all valid pixels lie between these."""
    half_m = np.ascontiguousarray(ringed_m[::2, ::2])
    if half_m.any():
        return half_m
    return np.ascontiguousarray(cv2.dilate(ringed_m, _CROSS)[::2, ::2])


def nearest_depth(
    depth_m: Float32[np.ndarray, "h w"],
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """The depth of the nearest pixel above 0, and its distance in pixels, for all pixels."""
    is_seen = depth_m > 0
    distance, label = cv2.distanceTransformWithLabels(
        (~is_seen).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Labels count the pixels that have depth, row by row from 1.
    return depth_m[is_seen].take(
        label.astype(np.intp) - 1, mode="clip"
    ), distance  # clipping: no check of each label


def _flown(nearest_m: np.ndarray, *, is_fixed: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Depth diffused into holes, at the size of `nearest_m`; computed at a quarter of that,
    starting from the nearest depth."""
    height, width = nearest_m.shape
    cells = _every_fourth(height), _every_fourth(width)
    start_m, fixed = nearest_m[cells], is_fixed[cells]
    if min(start_m.shape) < 2:
        return nearest_m
    down, across = start_m.shape
    # Two steps take a fifth of the time of one.
    color = cv2.resize(cv2.resize(rgb, (2 * across, 2 * down)), (across, down))
    start = 1 / start_m
    flown = np.clip(_diffused(start, fixed, color), start.min(), start.max())
    return cv2.resize(1 / flown, (width, height))


def _every_fourth(size: int) -> slice:
    return slice(min(2, size - 1), None, 4)


def _diffused(
    value: Float32[np.ndarray, "h w"],
    is_fixed: Bool[np.ndarray, "h w"],
    color: UInt8[np.ndarray, "h w 3"],
) -> Float32[np.ndarray, "h w"]:
    """`value` after steps in which each cell that is not fixed moves to its neighbours' mean.

    Each step continues from the one before the last and overshoots the mean (a stationary
    second-order iteration, Golub and Varga 1961): a third of the steps suffice.
    """
    height, width = value.shape
    # Rows end to end, with a border: a neighbour is a shift, and everything is contiguous.
    row = width + 2
    flows = _flows(color, ~is_fixed).reshape(2, 2, -1)
    flows *= _BEYOND
    rimmed = np.zeros((2, height + 2, row), np.float32)
    rimmed[:, 1:-1, 1:-1] = value
    cells = [buffer[1:-1].reshape(-1) for buffer in rimmed]
    around = [_neighbours(buffer.reshape(-1), row) for buffer in rimmed]
    kept = np.zeros((height, row), np.float32)
    np.multiply(value, _BEYOND * is_fixed, out=kept[:, 1:-1])
    kept = kept.ravel()
    mean = np.empty_like(kept)
    for step in range(_STEPS):
        moved = cells[step % 2]
        np.einsum("ijn,ijn->n", flows, around[1 - step % 2], out=mean)
        moved *= 1 - _BEYOND
        moved += mean
        moved += kept
    return rimmed[1 - _STEPS % 2, 1:-1, 1:-1]


def _neighbours(value: Float32[np.ndarray, " n"], row: int) -> Float32[np.ndarray, "2 2 m"]:
    """Views of the cells above, left, right and below, for all but the first and last row."""
    size, step = value.size - 2 * row, value.itemsize
    strides = (step * (row + 1), step * (row - 1), step)
    return np.lib.stride_tricks.as_strided(value, (2, 2, size), strides, writeable=False)


def _flows(color: np.ndarray, is_free: np.ndarray) -> Float32[np.ndarray, "4 h wr"]:
    """Weights of a cell's neighbours above, left, right and below in its mean; 0 where fixed,
    and in the border columns."""
    height, width = is_free.shape
    flows = np.zeros((4, height, width + 2), np.float32)
    across = _passing(color[:, 1:], color[:, :-1])
    down = _passing(color[1:], color[:-1])
    flows[0, 1:, 1:-1] = flows[3, :-1, 1:-1] = down
    flows[1, :, 2:-1] = flows[2, :, 1:-2] = across
    total = flows[:, :, 1:-1].sum(axis=0)
    flows[:, :, 1:-1] *= is_free / total
    return flows


def _passing(one: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h w 3"]) -> np.ndarray:
    """Conductance between cells of these colours."""
    difference = cv2.absdiff(one, other)
    red, green, blue = (difference[..., channel].astype(np.float32) for channel in range(3))
    return np.exp((red + green + blue) * np.float32(-1 / _COLOR_SCALE)) + np.float32(_LEAST_FLOW)


def _at_size(half: np.ndarray, width: int, height: int) -> np.ndarray:
    """Twice the size, cropped to an odd one."""
    doubled = cv2.resize(half, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(doubled[:height, :width])
