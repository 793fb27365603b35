"""Sheets of captioned pictures, for inspection."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.labels.label_maps import BACKGROUND
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.viz.palette import color_of

_Rgb = UInt8[np.ndarray, "h w 3"]
_LINE_PX = 14
_PAPER, _INK = 250, (30, 30, 30)
_UNKNOWN = (128, 128, 128)
_OPAQUE = 0.6


def captioned(picture: _Rgb, lines: Sequence[str]) -> UInt8[np.ndarray, "height w 3"]:
    """A picture above lines of text."""
    height, width = picture.shape[:2]
    tile = np.full((height + _LINE_PX * len(lines) + 4, width, 3), _PAPER, np.uint8)
    tile[:height] = picture
    for number, line in enumerate(lines):
        # OpenCV's fonts have only these letters.
        text = line.encode("ascii", "replace").decode()
        at = (2, height + _LINE_PX * (number + 1) - 3)
        cv2.putText(tile, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    return tile


def write_tiles(file: Path, tiles: Sequence[_Rgb], *, columns: int) -> None:
    """Write tiles of one size as a sheet; raises `ConfigError` if it cannot be written."""
    blank = np.zeros_like(tiles[0])
    filled = [*tiles, *([blank] * (-len(tiles) % columns))]
    rows = [np.hstack(filled[i : i + columns]) for i in range(0, len(filled), columns)]
    if not cv2.imwrite(str(file), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)):
        raise ConfigError(f"cannot write {file}")


def painted(
    picture: _Rgb, labels: UInt8[np.ndarray, "rows columns"], names: Sequence[str]
) -> _Rgb:
    """A picture under the colours of its label map, each class named at its middle cell.

    Where row 0 is the background, it stays as it is; `IGNORED` is grey.
    """
    height, width = picture.shape[:2]
    large = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    out, has_background = picture.copy(), names[0] == BACKGROUND
    shown = [int(row) for row in np.unique(large) if row or not has_background]
    for row in shown:
        color = np.array(_UNKNOWN if row == IGNORED else color_of(row - has_background))
        seen = large == row
        out[seen] = (out[seen] * (1 - _OPAQUE) + color * _OPAQUE).astype(np.uint8)
    for row in shown:
        y, x = np.nonzero(large == row)
        if row < len(names):
            _write(out, names[row], (int(x[len(x) // 2]) - 8, int(y[len(y) // 2]) + 4))
    return out


def _write(picture: _Rgb, text: str, at: tuple[int, int]) -> None:
    """White letters with a dark edge. OpenCV's fonts have ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    for color, thickness in ((_INK, 3), ((255, 255, 255), 1)):
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(picture, plain, at, font, 0.32, color, thickness, cv2.LINE_AA)
