"""How an object is coloured, and the light of the scene that its colour is to be judged by.

Words name the colours of things; pixels are things in some light, exposed somehow. An orange in
the dark has the pixels of brown wood in the sun. So a token tells an object's shades from dark to
bright, what is around it, and how bright and of what tint the whole view is. None of it takes
depth.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

SHADES = 7
LIGHT_WIDTH = 22
# Clipped pixels have lost their hue.
CLIPPED = 0.97

_SAMPLES = 16
_LEAST_PIXELS = 10
_SHADE_SHARES = np.linspace(0.05, 0.95, SHADES)
_LEAST_UNCLIPPED = 5
_AROUND, _AROUND_PX = 1.7, 4.0  # the surroundings' size by the box's, and at least so much more
_LIGHT_STRIDE = 8
_LIGHT_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
_BLACK = 0.04  # who is darker has no hue


def object_colors(
    rgb: UInt8[np.ndarray, "h w 3"],
    box_px: Float32[np.ndarray, "4"],
    mask: Bool[np.ndarray, "hm wm"] | None,
) -> dict[str, Float[np.ndarray, " k"]]:
    """The colours of what is in a box, in 0…1, by the names of the token's fields.

    `shades` are RGB at `SHADES` steps of brightness, `color` is the median of what is not clipped
    (of the darkest, where all is), `chroma` that colour at full brightness, `clipped` the share
    that is clipped, and `around` the median of what surrounds the box.
    """
    u, v = _grid(box_px[:2], box_px[2:], rgb)
    chosen = _in_mask(u, v, mask, rgb) if mask is not None else _in_middle()
    if chosen.sum() < _LEAST_PIXELS:
        chosen = _in_middle()
    pixels = rgb[v[chosen], u[chosen]].astype(np.float64) / 255
    brightness = pixels.max(axis=1)
    ordered = pixels[np.argsort(brightness, kind="stable")]
    unclipped = int((brightness < CLIPPED).sum())
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
    """Colours in 0…1 at full brightness; what is all but black stays dark."""
    return color / np.maximum(color.max(axis=-1, keepdims=True), _BLACK)


def scene_light(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " l"]:
    """Brightness and tint of a view, in 0…1: the mean, shares from dark to bright of each
    channel, and how much is clipped."""
    pixels = rgb[::_LIGHT_STRIDE, ::_LIGHT_STRIDE].reshape(-1, 3)
    ordered = np.sort(pixels, axis=0)
    rows = [int(share * (len(ordered) - 1)) for share in _LIGHT_SHARES]
    clipped = (pixels > 255 * CLIPPED).any(axis=1).mean()
    return np.concatenate([pixels.mean(axis=0) / 255, ordered[rows].ravel() / 255, [clipped]])


def _grid(
    low_px: np.ndarray, high_px: np.ndarray, rgb: UInt8[np.ndarray, "h w 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of pixels spread evenly over a box, clipped to the picture."""
    size = np.array([rgb.shape[1], rgb.shape[0]])
    low = np.clip(low_px, 0, size - 1)
    high = np.clip(high_px, low + 1, size)
    step = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    u, v = np.meshgrid(*(low + (high - low) * step[:, None]).astype(int).T)
    return u.ravel(), v.ravel()


def _in_mask(
    u: np.ndarray,
    v: np.ndarray,
    mask: Bool[np.ndarray, "hm wm"],
    rgb: UInt8[np.ndarray, "h w 3"],
) -> Bool[np.ndarray, " n"]:
    rows = v * mask.shape[0] // rgb.shape[0]
    columns = u * mask.shape[1] // rgb.shape[1]
    return mask[rows, columns]


def _in_middle() -> Bool[np.ndarray, " n"]:
    """The middle half of a grid: where there is no mask, what is most likely the object."""
    inside = np.zeros((_SAMPLES, _SAMPLES), bool)
    inside[_SAMPLES // 4 : -_SAMPLES // 4, _SAMPLES // 4 : -_SAMPLES // 4] = True
    return inside.ravel()


def _around(
    rgb: UInt8[np.ndarray, "h w 3"], box_px: Float32[np.ndarray, "4"]
) -> Float[np.ndarray, "3"]:
    middle, half = (box_px[:2] + box_px[2:]) / 2, (box_px[2:] - box_px[:2]) / 2
    reach = _AROUND * half + _AROUND_PX
    u, v = _grid(middle - reach, middle + reach, rgb)
    outside = (u < box_px[0]) | (u > box_px[2]) | (v < box_px[1]) | (v > box_px[3])
    if not outside.any():
        return np.zeros(3)
    return np.median(rgb[v[outside], u[outside]], axis=0) / 255
