"""Building blocks of sheets: pictures at a width, text, class colours, a bounded JPEG."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.viz.palette import Rgb, color_of

WIDTH_PX = 1200
INK, GOOD, BAD = (30, 30, 30), (0, 110, 60), (190, 40, 20)
_PAPER = 250
_LINE_PX, _FONT, _SCALE = 17, cv2.FONT_HERSHEY_SIMPLEX, 0.42
_GAP_PX = 4
# Quick to load in a document; quality is reduced until a sheet is no larger.
_MOST_BYTES, _QUALITIES = 290_000, (90, 82, 74, 66, 58, 50, 40, 30)
# In addition to the seven of the palette, for sets with more classes.
_MORE_COLORS: tuple[Rgb, ...] = (
    (128, 60, 190), (140, 86, 75), (0, 200, 200), (220, 20, 40), (130, 130, 130), (150, 200, 40),
)  # fmt: skip
_PALETTE = tuple(color_of(row) for row in range(7)) + _MORE_COLORS

Picture = UInt8[np.ndarray, "_ _ 3"]
Line = tuple[str, Rgb]


def class_color(row: int) -> Rgb:
    """The colour of a class; thirteen differ."""
    return _PALETTE[row % len(_PALETTE)]


def at_width(picture: Picture, width_px: int) -> Picture:
    """The picture at a width, its aspect ratio kept."""
    height_px = max(1, round(picture.shape[0] * width_px / picture.shape[1]))
    shrinks = width_px < picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width_px, height_px), interpolation=way)


def on_square(picture: Picture, side_px: int) -> Picture:
    """The picture as large as fits into a grey square."""
    scale = side_px / max(picture.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    square = np.full((side_px, side_px, 3), 114, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return square


def colored(picture: Picture, labels: UInt8[np.ndarray, "rows columns"], *, first: int) -> Picture:
    """The picture in grey under the colours of its label map; rows below `first` stay grey."""
    size = picture.shape[1::-1]
    large = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    out = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    for row in np.unique(large):
        if first <= row != IGNORED:
            tint = np.array(class_color(int(row) - first))
            out[large == row] = (out[large == row] * 0.35 + tint * 0.65).astype(np.uint8)
    return out


def write(picture: Picture, words: str, at: tuple[int, int], color: Rgb = INK) -> None:
    """Put text on a picture, its baseline at `at`. OpenCV's fonts have ASCII only."""
    plain = words.encode("ascii", "replace").decode()
    cv2.putText(picture, plain, at, _FONT, _SCALE, color, 1, cv2.LINE_AA)


def tag(picture: Picture, words: str, at: tuple[int, int], color: Rgb) -> None:
    """Put text on a coloured plate, within the picture; `at` is its lower left corner."""
    plain = words.encode("ascii", "replace").decode()
    (width, height), _ = cv2.getTextSize(plain, _FONT, _SCALE, 1)
    x = int(np.clip(at[0], 0, max(0, picture.shape[1] - width - 4)))
    y = int(np.clip(at[1], height + 5, picture.shape[0]))
    cv2.rectangle(picture, (x, y - height - 5), (x + width + 4, y), color, -1)
    write(picture, words, (x + 2, y - 3), (255, 255, 255))


def captioned(picture: Picture, lines: Sequence[Line]) -> Picture:
    """The picture above lines of text, each in its colour."""
    tile = np.full((len(lines) * _LINE_PX + 4, picture.shape[1], 3), _PAPER, np.uint8)
    for number, (words, color) in enumerate(lines, 1):
        write(tile, words, (2, number * _LINE_PX - 3), color)
    return np.vstack([picture, tile])


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of the same height side by side, without gaps."""
    return np.hstack(list(pictures))


def legend(names: Sequence[str]) -> Picture:
    """A line of classes in their colours, as wide as a sheet; wraps if needed."""
    places, x, y = [], 4, 14
    for name in names:
        width = 18 + cv2.getTextSize(name, _FONT, _SCALE, 1)[0][0] + 16
        if x + width > WIDTH_PX:
            x, y = 4, y + _LINE_PX + 2
        places.append((x, y))
        x += width
    strip = np.full((y + 8, WIDTH_PX, 3), _PAPER, np.uint8)
    for row, (name, (left, base)) in enumerate(zip(names, places, strict=True)):
        cv2.rectangle(strip, (left, base - 10), (left + 12, base + 1), class_color(row), -1)
        write(strip, name, (left + 17, base))
    return strip


def save(file: Path, tiles: Sequence[Picture], *, columns: int, foot: Picture | None) -> None:
    """Write tiles in rows as a JPEG of 1200 px width and less than 300 kB.

    Raises `ConfigError` if the file cannot be written.
    """
    width = max(tile.shape[1] for tile in tiles) + _GAP_PX
    height = max(tile.shape[0] for tile in tiles) + _GAP_PX
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * height, max(columns * width, WIDTH_PX), 3), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y, x = row * height, column * width
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    sheet = sheet[:, :WIDTH_PX] if foot is None else np.vstack([sheet[:, :WIDTH_PX], foot])
    bgr = cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    tried = (_jpeg(bgr, quality) for quality in _QUALITIES)
    encoded = next((data for data in tried if len(data) <= _MOST_BYTES), None)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded or _jpeg(bgr, _QUALITIES[-1]))
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error}") from error


def _jpeg(bgr: Picture, quality: int) -> bytes:
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
