"""The class of each pixel as an overlay."""

import numpy as np

from robot_vision.console.pictures.encoding import Picture, png
from robot_vision.core.types import SemanticMap
from robot_vision.viz.classes import class_colors

_ALPHA = 170
_MOST_WIDTH = 640


def segmentation_picture(found: SemanticMap) -> Picture:
    """One pixel per cell (or per few cells) in its class's colour; transparent for no class."""
    step = -(-found.class_id.shape[1] // _MOST_WIDTH)
    class_id = found.class_id[::step, ::step]
    colors = class_colors(len(found.class_names))
    pixels = np.zeros((*class_id.shape, 4), np.uint8)
    pixels[..., :3] = colors[class_id.clip(0) % len(colors)]
    pixels[..., 3] = np.where(class_id >= 0, _ALPHA, 0)
    return png(pixels)
