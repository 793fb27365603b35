"""The instruction and what the arm does about it, written below an image."""

import textwrap

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.results.policy_status import PolicyStatus

_BAR_PX = 64
_LINE_PX, _CHARACTER_PX = 19, 6.0
_WHITE, _GREEN, _AMBER, _GREY = (255, 255, 255), (120, 220, 120), (255, 190, 80), (170, 170, 170)


def with_caption(
    rgb: UInt8[np.ndarray, "h w 3"], status: PolicyStatus
) -> UInt8[np.ndarray, "h2 w 3"]:
    """The picture with a bar below: the instruction, and whether it is being followed."""
    bar = np.zeros((_BAR_PX, rgb.shape[1], 3), np.uint8)
    if not status.enabled:
        text, color = "disabled", _GREY
    elif status.holding:
        text, color = f"holding: {'; '.join(status.reasons)}", _AMBER
    else:
        text, color = "moving", _GREEN
    _write(bar, status.instruction or "no instruction", _WHITE, line=0, lines=1)
    _write(bar, text, color, line=1, lines=2)
    return np.concatenate([rgb, bar])


def _write(
    bar: np.ndarray, text: str, color: tuple[int, int, int], *, line: int, lines: int
) -> None:
    """Write at most this many lines from that one on, with a mark if text was cut."""
    plain = text.encode("ascii", "replace").decode()
    wrapped = textwrap.wrap(
        plain, int(bar.shape[1] / _CHARACTER_PX), max_lines=lines, placeholder=" ..."
    )
    for number, part in enumerate(wrapped):
        place = (6, 17 + (line + number) * _LINE_PX)
        cv2.putText(bar, part, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, 1, cv2.LINE_AA)
