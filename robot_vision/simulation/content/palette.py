"""Named colours, and which colours classes have in the training split.

About one class-colour combination in seven is held out: the training split never uses it, the val
and test splits use it for a known share of the objects.
"""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

CLASS_NAMES = (
    "ball",
    "banana",
    "block",
    "bottle",
    "bowl",
    "box",
    "can",
    "mug",
    "plate",
    "tool",
)
HELD_OUT_SHARE = 0.3
_EVERY = 7

# hue in degrees, saturation and value 0 to 1: lowest and highest
_HSV_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((350, 366), (0.75, 1.0), (0.55, 0.95)),
    "orange": ((19, 31), (0.8, 1.0), (0.85, 1.0)),
    "yellow": ((47, 58), (0.7, 1.0), (0.85, 1.0)),
    "green": ((95, 150), (0.5, 1.0), (0.35, 0.8)),
    "blue": ((205, 235), (0.65, 1.0), (0.45, 0.95)),
    "purple": ((265, 290), (0.45, 0.85), (0.4, 0.8)),
    "pink": ((322, 345), (0.3, 0.6), (0.85, 1.0)),
    "brown": ((18, 32), (0.5, 0.8), (0.25, 0.5)),
    "white": ((0, 360), (0.0, 0.06), (0.85, 1.0)),
    "black": ((0, 360), (0.0, 0.2), (0.05, 0.13)),
}
COLOR_NAMES = tuple(_HSV_RANGES)


def is_held_out(class_name: str, color_name: str) -> bool:
    """Whether the training split never shows `class_name` in `color_name`."""
    row, column = CLASS_NAMES.index(class_name), COLOR_NAMES.index(color_name)
    return (3 * row + 2 * column) % _EVERY == 1


def draw_color_name(class_name: str, *, split: Split, rng: np.random.Generator) -> str:
    """A colour for an object: held-out ones never in train, with `HELD_OUT_SHARE` elsewhere."""
    wants_held_out = split != "train" and rng.random() < HELD_OUT_SHARE
    choices = [c for c in COLOR_NAMES if is_held_out(class_name, c) == wants_held_out]
    return str(rng.choice(choices))


def hsv_to_rgb(hue_deg: float, saturation: float, value: float) -> Float[np.ndarray, "3"]:
    """RGB in 0…1 of a hue in degrees, saturation and value in 0…1."""
    pixel = np.array([[[hue_deg % 360, saturation, value]]], np.float32)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


def draw_rgb(color_name: str, rng: np.random.Generator) -> Float[np.ndarray, "3"]:
    """RGB in 0…1 of a random shade of `color_name`."""
    hue, saturation, value = (rng.uniform(*bounds) for bounds in _HSV_RANGES[color_name])
    return hsv_to_rgb(hue, saturation, value)
