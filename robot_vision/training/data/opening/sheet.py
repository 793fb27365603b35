"""A contact sheet of samples with their labels drawn, balanced over classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.training.data.labels.labelled import (
    IGNORED,
    Annotated,
    Classified,
    LabelledSet,
    Masked,
)
from robot_vision.training.data.labels.masks import decode_segmentation, read_mask
from robot_vision.viz.palette import Rgb, color_of, ink_on

_Rgb = UInt8[np.ndarray, "h w 3"]
TILES = 24
_COLUMNS = 4
_WIDTH_PX, _HEIGHT_PX, _CAPTION_PX, _LINE_PX = 320, 240, 34, 14
_FONT, _TEXT_SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_PAPER: Rgb = (250, 250, 250)
_INK: Rgb = (30, 30, 30)
_GREY: Rgb = (128, 128, 128)
_OPAQUE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class _Tile:
    """A picture at the size of a tile, and its scale relative to the file."""

    picture: _Rgb
    scale: float


def draw_sheet(
    opened: LabelledSet, shown: Sequence[frozenset[int]], *, tiles: int = TILES
) -> _Rgb:
    """Up to `tiles` images of a set with boxes, masks and names; `shown` are classes by image."""
    rows = balanced(shown, most=tiles)
    drawn = [_tile(opened.images[row], opened.class_names) for row in rows]
    blank = np.full((_HEIGHT_PX + _CAPTION_PX, _WIDTH_PX, 3), _PAPER, np.uint8)
    drawn += [blank] * (-len(drawn) % _COLUMNS or (0 if drawn else _COLUMNS))
    lines = [np.hstack(drawn[i : i + _COLUMNS]) for i in range(0, len(drawn), _COLUMNS)]
    return np.vstack(lines)


def write_sheet(file: Path, sheet: _Rgb) -> None:
    """Write a sheet as PNG, creating its folder if necessary; raises `ConfigError`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise ConfigError(f"cannot write {file}")


def balanced(shown: Sequence[frozenset[int]], *, most: int) -> list[int]:
    """Up to `most` images such that all classes are shown about equally often.

    The class shown least is next, in an image drawn from those with it (the same ones each
    time). Images without any label are used if no others are left.
    """
    order = np.random.default_rng(0).permutation(len(shown)).tolist()
    queues: dict[int, list[int]] = {}
    for row in reversed(order):
        for class_id in shown[row]:
            queues.setdefault(class_id, []).append(row)
    seen, chosen = Counter[int](), dict[int, None]()
    while len(chosen) < most and queues:
        class_id = min(queues, key=lambda c: (seen[c], c))
        row = queues[class_id].pop()
        if not queues[class_id]:
            del queues[class_id]
        if row not in chosen:
            chosen[row] = None
            seen.update(shown[row])
    for row in order:
        if len(chosen) < most:
            chosen.setdefault(row)
    return list(chosen)


def _tile(image: Annotated | Classified | Masked, names: Sequence[str]) -> _Rgb:
    try:
        tile = _opened(image)
        if isinstance(image, Annotated):
            present = _draw_boxes(tile, image, names)
        elif isinstance(image, Masked):
            present = _draw_mask(tile, image, names)
        else:
            present = [image.class_id]
        picture = tile.picture
    except (EncodingError, ConfigError):
        picture, present = np.full((_HEIGHT_PX, _WIDTH_PX, 3), _GREY, np.uint8), []
        _text(picture, "cannot be read", (8, 20), _PAPER)
    canvas = np.full((_HEIGHT_PX + _CAPTION_PX, _WIDTH_PX, 3), _PAPER, np.uint8)
    height, width = picture.shape[:2]
    canvas[:height, :width] = picture
    _text(canvas, "/".join(image.rgb_file.parts[-2:]), (2, _HEIGHT_PX + _LINE_PX - 2), _INK)
    _legend(canvas, present, names)
    return canvas


def _opened(image: Annotated | Classified | Masked) -> _Tile:
    rgb = read_image(image.rgb_file, cv2.IMREAD_COLOR_RGB)
    height, width = rgb.shape[:2]
    scale = min((_WIDTH_PX - 2) / width, _HEIGHT_PX / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return _Tile(picture=cv2.resize(rgb, size, interpolation=way), scale=scale)


def _draw_boxes(tile: _Tile, image: Annotated, names: Sequence[str]) -> list[int]:
    """Masks, boxes with names, and crowds in grey; returns the classes."""
    size = (image.height_px, image.width_px)
    for segmentation, class_id in zip(image.segmentation, image.class_id, strict=True):
        if segmentation:
            mask = decode_segmentation(segmentation, size)
            _blend(tile.picture, _shrunk(mask, tile) > 0, color_of(int(class_id)))
    for box in image.crowd_xyxy_px:
        _draw_box(tile, box, "", _GREY)
    class_ids = [int(class_id) for class_id in image.class_id]
    for box, class_id in zip(image.box_xyxy_px, class_ids, strict=True):
        _draw_box(tile, box, names[class_id], color_of(class_id))
    return sorted(set(class_ids))


def _draw_box(tile: _Tile, box: np.ndarray, name: str, color: Rgb) -> None:
    height, width = tile.picture.shape[:2]
    limit = 4 * max(height, width)  # OpenCV's coordinates wrap around
    left, top, right, bottom = (
        int(v) for v in np.clip(np.round(box * tile.scale), -limit, limit).tolist()
    )
    cv2.rectangle(tile.picture, (left, top), (max(left, right - 1), max(top, bottom - 1)), color)
    if name:
        (wide, high), _ = cv2.getTextSize(_ascii(name), _FONT, _TEXT_SCALE, 1)
        x = int(np.clip(left, 0, max(0, width - wide - 2)))
        y = int(np.clip(top - 2, high + 2, height - 2))
        cv2.rectangle(tile.picture, (x, y - high - 2), (x + wide + 2, y + 2), color, cv2.FILLED)
        _text(tile.picture, name, (x + 1, y), ink_on(color))


def _draw_mask(tile: _Tile, image: Masked, names: Sequence[str]) -> list[int]:
    """Each class in its colour, ignored pixels in grey; returns the classes."""
    mask = _shrunk(read_mask(image.mask_file), tile)
    present = [row for row in np.unique(mask).tolist() if row != IGNORED]
    for row in present:
        _blend(tile.picture, mask == row, color_of(row))
    _blend(tile.picture, mask == IGNORED, _GREY)
    return [row for row in present if row < len(names)]


def _shrunk(mask: np.ndarray, tile: _Tile) -> np.ndarray:
    height, width = tile.picture.shape[:2]
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)


def _blend(picture: _Rgb, where: np.ndarray, color: Rgb) -> None:
    painted = picture[where] * (1 - _OPAQUE) + np.array(color) * _OPAQUE
    picture[where] = painted.astype(np.uint8)


def _legend(canvas: _Rgb, present: Sequence[int], names: Sequence[str]) -> None:
    """Names of classes on plates of their colours, as many as fit."""
    x, y = 2, _HEIGHT_PX + 2 * _LINE_PX
    for row in present:
        (wide, _), _ = cv2.getTextSize(_ascii(names[row]), _FONT, _TEXT_SCALE, 1)
        if x + wide + 4 > _WIDTH_PX:
            return
        color = color_of(row)
        cv2.rectangle(canvas, (x, y - 10), (x + wide + 3, y + 4), color, cv2.FILLED)
        _text(canvas, names[row], (x + 2, y), ink_on(color))
        x += wide + 8


def _text(canvas: _Rgb, text: str, origin: tuple[int, int], color: Rgb) -> None:
    cv2.putText(canvas, _ascii(text), origin, _FONT, _TEXT_SCALE, color, 1, cv2.LINE_AA)


def _ascii(text: str) -> str:
    """OpenCV's fonts have only these letters."""
    return text[:60].encode("ascii", "replace").decode()
