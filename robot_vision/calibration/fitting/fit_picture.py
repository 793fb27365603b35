"""Draws a fit for inspection: corners found, their expected places, and residuals."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from robot_vision.calibration.fitting.hand_eye import ViewFit

_CELL_PX = (480, 360)
_BAR_HEIGHT_PX = 200
_WHITE, _BLACK, _GREY = (255, 255, 255), (30, 30, 30), (150, 150, 150)
_FOUND, _EXPECTED, _DROPPED = (0, 200, 0), (40, 40, 255), (40, 40, 255)
_MOST_SHOWN = 4
# Residuals are drawn magnified by this factor.
_LENGTHENED = 20


def fit_picture(
    views: Sequence[ViewFit],
    pictures: Mapping[str, UInt8[np.ndarray, "h w 3"]],
    corners_px: Mapping[str, Float64[np.ndarray, "n 2"]],
) -> UInt8[np.ndarray, "sheet_h sheet_w 3"]:
    """The given pictures (BGR, by view) with corners drawn in, above a bar for each view's RMS."""
    by_name = {view.name: view for view in views}
    cells = [_cell(by_name[name], picture, corners_px[name]) for name, picture in pictures.items()]
    if len(cells) % 2:
        cells.append(np.full_like(cells[0], 255))
    rows = [np.hstack(cells[start : start + 2]) for start in range(0, len(cells), 2)]
    return np.vstack([*rows, _bars(views, width_px=2 * _CELL_PX[0])])


def views_to_show(views: Sequence[ViewFit]) -> list[str]:
    """The worst, the best, and views between, by their RMS."""
    ranked = sorted(views, key=lambda view: view.rms_px)
    places = np.linspace(0, len(ranked) - 1, min(_MOST_SHOWN, len(ranked))).round().astype(int)
    return [ranked[place].name for place in places.tolist()[::-1]]


def _cell(view: ViewFit, picture: np.ndarray, corners_px: np.ndarray) -> np.ndarray:
    """The board's part of a picture: found corners as rings, residuals as magnified lines."""
    zoom, shown, offset_px = _cut_out(picture, corners_px)
    for found, expected in zip(corners_px, view.seen_px, strict=True):
        start = (found - offset_px) * zoom
        end = start + np.nan_to_num(expected - found) * zoom * _LENGTHENED
        _line(shown, start, end.clip(-1000, 2000), _EXPECTED)
        cv2.circle(shown, _point(start), 4, _FOUND, 1, cv2.LINE_AA)
    state = "" if view.is_kept else "  DROPPED"
    words = (
        f"{view.name}: {view.rms_px:.2f} px, {view.place_m * 1e3:.2f} mm, "
        f"{view.turn_deg:.2f} deg{state}"
    )
    cv2.rectangle(shown, (0, 0), (_CELL_PX[0], 24), _WHITE, -1)
    _text(shown, words, (6, 17), _BLACK if view.is_kept else _DROPPED)
    return shown


def _cut_out(picture: np.ndarray, corners_px: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Zoom, the part of the picture around the corners, and its first pixel."""
    least, most = corners_px.min(axis=0), corners_px.max(axis=0)
    margin = 0.2 * (most - least).max()
    zoom = float((np.array(_CELL_PX) / (most - least + 2 * margin)).min())
    offset_px = (least + most) / 2 - np.array(_CELL_PX) / 2 / zoom
    matrix = np.array([[zoom, 0, -offset_px[0] * zoom], [0, zoom, -offset_px[1] * zoom]])
    shown = cv2.warpAffine(picture, matrix, _CELL_PX, borderValue=_GREY)
    return zoom, shown, offset_px


def _bars(views: Sequence[ViewFit], *, width_px: int) -> np.ndarray:
    chart = np.full((_BAR_HEIGHT_PX, width_px, 3), 255, np.uint8)
    kept = [view.rms_px for view in views if view.is_kept]
    top_px = 1.5 * max(kept, default=1.0)
    floor, height = _BAR_HEIGHT_PX - 26, _BAR_HEIGHT_PX - 60
    step = (width_px - 60) / len(views)
    for number, view in enumerate(views):
        left = 50 + number * step
        tall = height * min(view.rms_px / top_px, 1.0)
        colour = (180, 120, 40) if view.is_kept else _DROPPED
        corner = (int(left + 0.85 * step), floor)
        cv2.rectangle(chart, (int(left), int(floor - tall)), corner, colour, -1)
        if step > 28:
            _text(chart, f"{view.rms_px:.2f}", (int(left), int(floor - tall) - 4), _BLACK, 0.33)
            _text(chart, view.name[: int(step / 7)], (int(left), floor + 14), _BLACK, 0.33)
    words = (
        "RMS of each view, px (red: dropped). Above: rings are corners found, red lines lead to "
        f"their places in the fit, {_LENGTHENED} times as long."
    )
    _text(chart, words, (8, 16), _BLACK, 0.4)
    return chart


def _line(image: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple) -> None:
    cv2.line(image, _point(start), _point(end), colour, 1, cv2.LINE_AA)


def _point(place: np.ndarray) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


def _text(
    image: np.ndarray, words: str, place: tuple[int, int], colour: tuple, scale: float = 0.42
) -> None:
    cv2.putText(image, words, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
