"""Contact sheets: rows of captioned thumbnails, and pairs of pictures joined by lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.similar.searching.regions import Matches
from robot_vision.similar.store import SimilarError
from robot_vision.viz.palette import color_of

_WIDTH_PX, _HEIGHT_PX, _LINE_PX, _GAP_PX = 160, 120, 13, 4
_PAPER, _INK = 250, (30, 30, 30)
_QUALITY, _THUMBNAIL_QUALITY = 88, 70
_PICTURE_HEIGHT_PX, _MOST_RATIO = 480, 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A small picture and the lines below it."""

    rgb: UInt8[np.ndarray, "h w 3"]
    lines: tuple[str, ...]


def thumbnail(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A JPEG at the size of a tile."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _WIDTH_PX / width, _HEIGHT_PX / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return jpeg(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), _THUMBNAIL_QUALITY)


def jpeg(rgb: UInt8[np.ndarray, "h w 3"], quality: int) -> bytes:
    """Raises `SimilarError` for a picture larger than a JPEG may be."""
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    is_written, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_written:
        raise SimilarError(
            f"a picture of {rgb.shape[1]}x{rgb.shape[0]} px does not fit into a JPEG (65500 px a "
            "side): give fewer pictures"
        )
    return data.tobytes()


def decoded(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """A thumbnail of an index; grey where it is damaged."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return found if found is not None else np.full((_HEIGHT_PX, _WIDTH_PX, 3), 128, np.uint8)


def write_sheet(file: Path, rows: Sequence[Sequence[Tile]]) -> None:
    """A JPEG with a line of tiles for each row; raises `SimilarError` if it cannot be written."""
    lines = max((len(tile.lines) for row in rows for tile in row), default=0)
    columns = max((len(row) for row in rows), default=1)
    height_px = _HEIGHT_PX + _LINE_PX * lines + 2 * _GAP_PX
    width_px = _WIDTH_PX + _GAP_PX
    sheet = np.full((height_px * max(1, len(rows)), width_px * columns, 3), _PAPER, np.uint8)
    for down, row in enumerate(rows):
        for across, tile in enumerate(row):
            _put(sheet, tile, (across * width_px, down * height_px))
    write_jpeg(file, sheet)


def draw_matches(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "h2 w2 3"], matches: Matches
) -> UInt8[np.ndarray, "height width 3"]:
    """Both pictures side by side, with a line for each match, thicker for more similar ones."""
    shown = [
        cv2.resize(picture, (_shown_width_px(picture), _PICTURE_HEIGHT_PX))
        for picture in (first, second)
    ]
    scales = [
        np.array([large.shape[1] / picture.shape[1], large.shape[0] / picture.shape[0]])
        for large, picture in zip(shown, (first, second), strict=True)
    ]
    sheet = np.hstack(shown)
    offset = np.array([shown[0].shape[1], 0])
    for number, similarity in enumerate(matches.similarity):
        one = np.round(matches.first_px[number] * scales[0]).astype(int)
        other = np.round(matches.second_px[number] * scales[1] + offset).astype(int)
        color, ends = color_of(number), (one.tolist(), other.tolist())
        cv2.line(sheet, *ends, color, 1 + int(similarity > 0.8), cv2.LINE_AA)
        for end in ends:
            cv2.circle(sheet, end, 4, color, -1, cv2.LINE_AA)
    return sheet


def _shown_width_px(picture: UInt8[np.ndarray, "h w 3"]) -> int:
    """At `_PICTURE_HEIGHT_PX`; a strip is squeezed, or it would leave no room for the other."""
    ratio = np.clip(picture.shape[1] / picture.shape[0], 1 / _MOST_RATIO, _MOST_RATIO)
    return round(_PICTURE_HEIGHT_PX * float(ratio))


def stacked(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures one below the other, as wide as the widest."""
    width = max(picture.shape[1] for picture in pictures)
    sizes = [(width, max(1, round(p.shape[0] * width / p.shape[1]))) for p in pictures]
    return np.vstack([cv2.resize(p, size) for p, size in zip(pictures, sizes, strict=True)])


def write_jpeg(file: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(rgb, _QUALITY))
    except OSError as error:
        raise SimilarError(f"cannot write {file}: {error}") from error


def _put(sheet: np.ndarray, tile: Tile, at: tuple[int, int]) -> None:
    height, width = tile.rgb.shape[:2]
    scale = min(_WIDTH_PX / width, _HEIGHT_PX / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = at
    sheet[top : top + size[1], left : left + size[0]] = cv2.resize(tile.rgb, size)
    for number, line in enumerate(tile.lines):
        # OpenCV's fonts have only these letters.
        text = line.encode("ascii", "replace").decode()
        place = (left + 2, top + _HEIGHT_PX + _LINE_PX * (number + 1))
        cv2.putText(sheet, text[-26:], place, _FONT, 0.35, _INK, 1, cv2.LINE_AA)
