"""Colours of an object, and the scene's light by which to judge them.

Words name the colours of objects, but pixels also depend on light and exposure: an orange in the
dark has the pixels of brown wood in the sun. So a token holds an object's shades from dark to
bright, its surroundings, and the brightness and tint of the whole view. None of it needs depth.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from robot_vision.policies.observing.sampling import looked_up, spread_over

SHADES = 7
_LIGHT_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
LIGHT_WIDTH = 3 * (1 + len(_LIGHT_SHARES)) + 1

# Brighter pixels are clipped and have lost their hue.
_CLIPPED = 0.97
_SAMPLES = 16
# The middle half of a box: without a mask, most likely the object.
_MIDDLE = np.pad(np.ones((_SAMPLES // 2, _SAMPLES // 2), bool), _SAMPLES // 4).ravel()
_LEAST_PIXELS = 10
_SHADE_SHARES = np.linspace(0.05, 0.95, SHADES)
_LEAST_UNCLIPPED = 5
_AROUND, _AROUND_PX = (
    1.7,
    4.0,
)  # size of the surroundings relative to the box, and the least margin
_LIGHT_STRIDE_PX = 8
_BLACK = 0.04  # darker colours have no hue


def object_colors(
    rgb: UInt8[np.ndarray, "h w 3"],
    box_px: Float32[np.ndarray, "4"],
    mask: Bool[np.ndarray, "hm wm"] | None,
) -> dict[str, Float[np.ndarray, " k"]]:
    """Colours within a box, in 0…1, by the names of the token's fields.

    `shades` are RGB at `SHADES` steps of brightness, `color` is the median of unclipped pixels (of
    the darkest, if all are clipped), `chroma` that colour at full brightness, `clipped` the share
    that is clipped, and `around` the median of what surrounds the box.
    """
    size_px = rgb.shape[1], rgb.shape[0]
    u, v = spread_over(box_px[:2], box_px[2:], size_px=size_px, side=_SAMPLES)
    chosen = _MIDDLE if mask is None else looked_up(mask, u, v, size_px=size_px)
    if chosen.sum() < _LEAST_PIXELS:
        chosen = _MIDDLE
    pixels = looked_up(rgb, u[chosen], v[chosen], size_px=size_px) / 255
    brightness = pixels.max(axis=1)
    ordered = pixels[np.argsort(brightness, kind="stable")]
    unclipped = int((brightness < _CLIPPED).sum())
    trusted = ordered[: max(unclipped, _LEAST_UNCLIPPED)]
    color = np.median(trusted, axis=0)
    return {
        "shades": ordered[(_SHADE_SHARES * (len(ordered) - 1)).astype(int)].ravel(),
        "color": color,
        "chroma": chroma_of(color),
        "clipped": np.array([1 - unclipped / len(pixels)]),
        "around": _around(rgb, box_px),
    }


def chroma_of(color: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Colours in 0…1 at full brightness; almost black stays dark."""
    return color / np.maximum(color.max(axis=-1, keepdims=True), _BLACK)


def scene_light(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " l"]:
    """Brightness and tint of a view, in 0…1: the mean, quantiles of each channel, and the
    clipped share."""
    pixels = rgb[::_LIGHT_STRIDE_PX, ::_LIGHT_STRIDE_PX].reshape(-1, 3)
    ordered = np.sort(pixels, axis=0)
    rows = [int(share * (len(ordered) - 1)) for share in _LIGHT_SHARES]
    clipped = (pixels > 255 * _CLIPPED).any(axis=1).mean()
    return np.concatenate([pixels.mean(axis=0) / 255, ordered[rows].ravel() / 255, [clipped]])


def _around(
    rgb: UInt8[np.ndarray, "h w 3"], box_px: Float32[np.ndarray, "4"]
) -> Float[np.ndarray, "3"]:
    middle, half = (box_px[:2] + box_px[2:]) / 2, (box_px[2:] - box_px[:2]) / 2
    reach, size_px = _AROUND * half + _AROUND_PX, (rgb.shape[1], rgb.shape[0])
    u, v = spread_over(middle - reach, middle + reach, size_px=size_px, side=_SAMPLES)
    left, top = np.floor(u), np.floor(v)  # of the pixels
    outside = (left < box_px[0]) | (left > box_px[2]) | (top < box_px[1]) | (top > box_px[3])
    if not outside.any():
        return np.zeros(3)
    return np.median(looked_up(rgb, u[outside], v[outside], size_px=size_px), axis=0) / 255
