"""The trivial baseline for captions: compares named colours with visible ones."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

# sRGB of each named colour; grey stands for colours that no caption names.
_ANCHORS: dict[str, tuple[int, int, int]] = {
    "red": (205, 40, 40),
    "orange": (240, 135, 35),
    "yellow": (240, 210, 50),
    "green": (60, 150, 60),
    "blue": (50, 90, 200),
    "purple": (125, 65, 165),
    "pink": (240, 150, 195),
    "brown": (105, 70, 40),
    "white": (240, 240, 240),
    "black": (25, 25, 25),
    "": (128, 128, 128),
}
COLOR_NAMES = tuple(name for name in _ANCHORS if name)
_WIDTH_PX, _HEIGHT_PX = 104, 80


def color_shares(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, " c"]:
    """Shares of the pixels whose nearest anchor in CIELAB is each of `COLOR_NAMES`."""
    small = cv2.resize(rgb, (_WIDTH_PX, _HEIGHT_PX), interpolation=cv2.INTER_AREA)
    anchors = np.array([list(_ANCHORS.values())], np.uint8)
    pixel, anchor = (
        cv2.cvtColor(each, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
        for each in (small, anchors)
    )
    nearest = np.linalg.norm(pixel[:, None] - anchor[None], axis=2).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(_ANCHORS))
    return counts[: len(COLOR_NAMES)] / counts.sum()


def color_counts(named: Iterable[tuple[str, str, int]]) -> Float[np.ndarray, " c"]:
    """How often each of `COLOR_NAMES` is named, by any synonym, including counts."""
    out = np.zeros(len(COLOR_NAMES))
    for color, _, count in named:
        if color in COLOR_NAMES:
            out[COLOR_NAMES.index(color)] += count
    return out


def color_similarity(
    shares: Sequence[Float[np.ndarray, " c"]], counts: Sequence[Float[np.ndarray, " c"]]
) -> Float[np.ndarray, "n m"]:
    """How well colours of pictures (rows) and captions (columns) fit: correlation over colours.

    Shares and counts are first standardised over the set: common colours carry no information.
    """
    pictures, captions = (_standardised(np.sqrt(np.stack(rows))) for rows in (shares, counts))
    return pictures @ captions.T


def _standardised(rows: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    spread = rows.std(axis=0)
    scaled = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(length > 0, length, 1.0)
