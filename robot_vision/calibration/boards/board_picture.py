"""A board as a picture that printers print at its true size."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.calibration.boards.board import Board, pattern_of
from robot_vision.core.errors import ConfigError

_WHITE = 255
_INCH_M = 0.0254
_RULER_M = 0.1
_MOST_PX = 20_000


def draw_board(board: Board, *, px_per_square: int) -> UInt8[np.ndarray, "h w"]:
    """The board without a margin. A marker's side is rounded to pixels; a square's is exact."""
    config = board.config
    width_m, height_m = board.size_m
    scale = px_per_square / config.square_m
    size_px = (round(width_m * scale), round(height_m * scale))
    if board.pattern is not None:
        # In whole pixels: OpenCV fails for some boards whose squares it has to round.
        marker_px = round(config.marker_m * scale)
        in_px = config.model_copy(update={"square_m": px_per_square, "marker_m": marker_px})
        return pattern_of(in_px).generateImage(size_px, marginSize=0, borderBits=1)
    row, column = np.indices(size_px[::-1]) // px_per_square
    return ((row + column) % 2 * _WHITE).astype(np.uint8)


def printed_board(
    board: Board, *, dpi: float, margin_m: float
) -> tuple[UInt8[np.ndarray, "h w"], float]:
    """The board with a white margin and a ruler in it, and its pixels per metre.

    Squares are whole pixels, so that the pixels per metre differ a little from `dpi`. Raises
    `ConfigError` for a resolution at which markers cannot be drawn, or a picture too large.
    """
    config = board.config
    px_per_square = round(config.square_m * dpi / _INCH_M)
    px_per_m = px_per_square / config.square_m
    across_px = (max(board.size_m) + 2 * margin_m) * px_per_m
    if px_per_square < 24 or across_px > _MOST_PX:
        raise ConfigError(
            f"{dpi:g} dots per inch make {px_per_square} px a square and {across_px:.0f} px "
            f"across; expected at least 24 px a square and {_MOST_PX} px across at most"
        )
    margin_px = round(margin_m * px_per_m)
    drawn = draw_board(board, px_per_square=px_per_square)
    sheet = cv2.copyMakeBorder(
        drawn, *(margin_px,) * 4, borderType=cv2.BORDER_CONSTANT, value=(_WHITE,)
    )
    _add_ruler(sheet, board, margin_px=margin_px, px_per_m=px_per_m)
    return sheet, px_per_m


def _add_ruler(
    sheet: UInt8[np.ndarray, "h w"], board: Board, *, margin_px: int, px_per_m: float
) -> None:
    """A line of 100 mm, or of one square if the board is smaller, to check against a ruler."""
    config = board.config
    length_m = _RULER_M if board.size_m[0] >= _RULER_M else config.square_m
    top, bottom = sheet.shape[0] - margin_px * 2 // 3, sheet.shape[0] - margin_px // 2
    right = margin_px + round(length_m * px_per_m)
    sheet[top:bottom, [margin_px, right]] = 0
    sheet[bottom - 1, margin_px : right + 1] = 0
    words = (
        f"{length_m * 1e3:g} mm   {config.kind} {config.columns}x{config.rows}, "
        f"square {config.square_m * 1e3:g} mm, marker {config.marker_m * 1e3:g} mm, "
        f"{config.dictionary}"
    )
    width_at_one = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)[0][0]
    scale = min(margin_px / 120, (sheet.shape[1] - 2 * margin_px) / width_at_one)
    place = (margin_px, sheet.shape[0] - margin_px // 6)
    cv2.putText(sheet, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0,), 1, cv2.LINE_AA)


def write_png(path: Path, picture: UInt8[np.ndarray, "h w"], *, px_per_m: float) -> None:
    """A PNG with its physical size in a pHYs chunk, which OpenCV cannot write."""
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    body = b"pHYs" + struct.pack(">IIB", round(px_per_m), round(px_per_m), 1)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    header_end = 8 + 25  # signature, IHDR
    path.write_bytes(encoded[:header_end] + chunk + encoded[header_end:])
