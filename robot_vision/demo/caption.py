"""What the arm was told and does, written below a picture."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

_BAR_PX = 44
_WHITE, _GREEN, _AMBER, _GREY = (255, 255, 255), (120, 220, 120), (255, 190, 80), (170, 170, 170)


def with_caption(
    rgb: UInt8[np.ndarray, "h w 3"], status: Mapping[str, Any]
) -> UInt8[np.ndarray, "h2 w 3"]:
    """The picture above a bar with the instruction, and whether it is followed."""
    bar = np.zeros((_BAR_PX, rgb.shape[1], 3), np.uint8)
    _write(bar, status.get("instruction") or "no instruction", 17, _WHITE)
    if not status.get("enabled"):
        _write(bar, "disabled", 36, _GREY)
    elif status.get("holding"):
        _write(bar, f"holding: {'; '.join(status['reasons'])}", 36, _AMBER)
    else:
        _write(bar, "moving", 36, _GREEN)
    return np.concatenate([rgb, bar])


def _write(bar: np.ndarray, text: str, y_px: int, color: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(bar, plain, (6, y_px), cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, 1, cv2.LINE_AA)
