"""Maps as pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.training.metrics.tiles import captioned

_TILE_PX = 208
_LARGE_PX = 416
_BOX_COLOR = (255, 255, 255)
_OPAQUE = 0.6

Rgb = UInt8[np.ndarray, "h w 3"]


def colored(heat: Float32[np.ndarray, "h w"]) -> Rgb:
    """A map from 0 to 1 in the colours of viridis."""
    levels = (255 * heat.clip(0, 1)).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def over_picture(rgb: Rgb, heat: Float32[np.ndarray, "h w"]) -> Rgb:
    """The map over the picture in grey, so that only the map has colours."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(grey, 1 - _OPAQUE, colored(heat), _OPAQUE, 0)


def tile(rgb: Rgb, caption: str) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of any shape in a square above a caption, for a sheet."""
    picture, _ = _resized(rgb, side_px=_TILE_PX)
    square = np.full((_TILE_PX, _TILE_PX, 3), 250, np.uint8)
    square[: picture.shape[0], : picture.shape[1]] = picture
    return captioned(square, (caption,))


def large_tile(
    rgb: Rgb, caption: str, *, box_xyxy_px: Sequence[float] | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """A picture at a readable size with a box, above a caption."""
    picture, scale = _resized(rgb, side_px=_LARGE_PX)
    if box_xyxy_px is not None:
        left, top, right, bottom = (round(scale * edge) for edge in box_xyxy_px)
        cv2.rectangle(picture, (left, top), (right, bottom), _BOX_COLOR, 1)
    return captioned(picture, (caption,))


def _resized(rgb: Rgb, *, side_px: int) -> tuple[UInt8[np.ndarray, "height width 3"], float]:
    """A picture whose longer side is `side_px`, and the scale factor."""
    height, width = rgb.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(rgb, size, interpolation=way), scale
