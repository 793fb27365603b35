"""Maps as pictures."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.training.metrics.tiles import captioned

_TILE_PX = 208
_OPAQUE = 0.6

Rgb = UInt8[np.ndarray, "h w 3"]


def colored(heat: Float32[np.ndarray, "h w"]) -> Rgb:
    """A map from 0 to 1 in the colours of viridis."""
    levels = (255 * heat.clip(0, 1)).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def over_picture(rgb: Rgb, heat: Float32[np.ndarray, "h w"]) -> Rgb:
    """The map over the picture in grey, so that its colours are the map's alone."""
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(grey, 1 - _OPAQUE, colored(heat), _OPAQUE, 0)


def tile(rgb: Rgb, caption: str) -> UInt8[np.ndarray, "height width 3"]:
    """A picture in a square, above words."""
    height, width = rgb.shape[:2]
    scale = _TILE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.full((_TILE_PX, _TILE_PX, 3), 250, np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    square[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=way)
    return captioned(square, (caption,))
