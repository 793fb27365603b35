"""Draws cards with a known text into pictures."""

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.multimodal.pictures import Thing

_WORDS = (
    "APPLE", "BRIDGE", "CABLE", "DELTA", "ENGINE", "FILTER", "GARDEN", "HARBOR", "ISLAND",
    "JACKET", "KERNEL", "LADDER", "MAGNET", "NEEDLE", "ORBIT", "PUMP", "QUARTZ", "ROCKET",
    "SOCKET", "TIMBER", "VALVE", "WINDOW", "YELLOW", "ZEBRA",
)  # fmt: skip
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_HEIGHT_SHARE = 0.13  # of the picture
_PAPER, _INK = (244, 244, 240), (28, 28, 32)


def card_text(rng: np.random.Generator) -> str:
    """A word and a two-digit number."""
    return f"{_WORDS[int(rng.integers(len(_WORDS)))]} {int(rng.integers(10, 100))}"


def with_card(
    rgb: UInt8[np.ndarray, "h w 3"], text: str, things: tuple[Thing, ...] = ()
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the picture with a white card in the corner where it hides the least."""
    height_px, width_px = rgb.shape[:2]
    card = _card(text, height_px=max(20, round(height_px * _HEIGHT_SHARE)), most_px=width_px)
    h, w = card.shape[:2]
    margin = max(2, height_px // 40)
    right, bottom = max(width_px - w - margin, 0), max(height_px - h - margin, 0)
    corners = [(x, y) for y in (margin, bottom) for x in (margin, right)]
    left, top = min(corners, key=lambda at: _hidden_px(things, at, (w, h)))
    out = rgb.copy()
    out[top : top + h, left : left + w] = card[: height_px - top, : width_px - left]
    return out


def _card(text: str, *, height_px: int, most_px: int) -> UInt8[np.ndarray, "h w 3"]:
    (width, height), _ = cv2.getTextSize(text, _FONT, 1.0, 2)
    scale = min(0.5 * height_px / height, 0.8 * most_px / width)
    thickness = max(1, round(2 * scale))
    pad = round(0.25 * height_px)
    shape = (height_px, min(round(width * scale) + 2 * pad, most_px), 3)
    card = np.full(shape, _PAPER, np.uint8)
    at = (pad, round((height_px + height * scale) / 2))
    cv2.putText(card, text, at, _FONT, scale, _INK, thickness, cv2.LINE_AA)
    return card


def _hidden_px(things: tuple[Thing, ...], at: tuple[int, int], size: tuple[int, int]) -> float:
    """How much of the boxes of clear objects a card of this place and size covers."""
    left, top = at
    total = 0.0
    for thing in things:
        x0, y0, x1, y1 = thing.box_xyxy_px
        width = min(x1, left + size[0]) - max(x0, left)
        height = min(y1, top + size[1]) - max(y0, top)
        total += max(width, 0) * max(height, 0)
    return total
