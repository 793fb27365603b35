"""A sheet of paths: where a policy would have moved the arm, beside the expert's path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float64, UInt8

from robot_vision.core.cameras.geometry import (
    invert_transform,
    project,
    scaled_camera,
    transform_points,
)
from robot_vision.core.types import Camera
from robot_vision.training.metrics.tiles import captioned, write_tiles

TAUGHT_COLOR, PREDICTED_COLOR = (0, 150, 60), (230, 90, 0)
TILE_WIDTH_PX = 320
_CURVE_PX, _NAME_PX, _COLUMNS = 34, 58, 3
_PAPER, _INK, _AXIS = 250, (30, 30, 30), (200, 200, 200)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """A quantity over the steps of a chunk; `least` is the smallest span drawn."""

    name: str
    taught: Float[np.ndarray, " n"]
    predicted: Float[np.ndarray, " n"]
    least: float


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A camera's pose, and points in the base frame along both chunks, m."""

    camera: Camera
    base_from_camera: Float64[np.ndarray, "4 4"]
    taught_m: Float64[np.ndarray, "n 3"]
    predicted_m: Float64[np.ndarray, "n 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PathTile:
    """One decision. Without `view` its path is not drawn on the picture; curves always are."""

    picture: UInt8[np.ndarray, "h w 3"] | None
    view: View | None
    curves: tuple[Curve, ...]
    lines: tuple[str, ...]


def write_path_sheet(file: Path, tiles: Sequence[PathTile]) -> None:
    """Taught paths green, predicted ones orange; tiles of the same cameras and curves."""
    write_tiles(file, [_drawn(tile) for tile in tiles], columns=min(_COLUMNS, len(tiles)))


def _drawn(tile: PathTile) -> UInt8[np.ndarray, "h w 3"]:
    parts = [_curve(each) for each in tile.curves]
    if tile.picture is not None:
        parts.insert(0, _with_paths(_enlarged(tile.picture), tile.view))
    return captioned(np.vstack(parts), tile.lines)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    height_px = round(picture.shape[0] * TILE_WIDTH_PX / picture.shape[1])
    return cv2.resize(picture, (TILE_WIDTH_PX, height_px), interpolation=cv2.INTER_LINEAR)


def _with_paths(picture: np.ndarray, view: View | None) -> np.ndarray:
    if view is None:
        return picture
    for places_m, color in (
        (view.taught_m, TAUGHT_COLOR),
        (view.predicted_m, PREDICTED_COLOR),
    ):
        pixels = _pixels(places_m, view, picture.shape[1], picture.shape[0])
        line = [np.round(pixels).astype(np.int32)]
        cv2.polylines(picture, line, False, (255, 255, 255), 4, cv2.LINE_AA)
        cv2.polylines(picture, line, False, color, 2, cv2.LINE_AA)
        if len(pixels):
            cv2.circle(picture, tuple(map(int, pixels[-1])), 4, color, -1, cv2.LINE_AA)
    return picture


def _pixels(places_m: np.ndarray, view: View, width_px: int, height_px: int) -> np.ndarray:
    """Pixels of points in front of the camera, in a picture stretched to a size."""
    in_camera = transform_points(invert_transform(view.base_from_camera), places_m)
    camera = scaled_camera(view.camera, width_px=width_px, height_px=height_px)
    pixels = project(in_camera[in_camera[:, 2] > 0], camera=camera)
    far_px = 4 * max(width_px, height_px)  # limits of OpenCV's drawing
    return np.clip(pixels[np.isfinite(pixels).all(axis=1)], -far_px, far_px)


def _curve(curve: Curve) -> np.ndarray:
    """A strip with the curve's name and range; both curves have the same scale."""
    strip = np.full((_CURVE_PX, TILE_WIDTH_PX, 3), _PAPER, np.uint8)
    both = np.stack([curve.taught, curve.predicted]).astype(np.float64)
    low, high = float(both.min()), float(both.max())
    margin = max(curve.least - (high - low), 0) / 2
    low, high = low - margin, high + margin
    cv2.line(strip, (0, 0), (TILE_WIDTH_PX, 0), _AXIS, 1)
    _write(strip, curve.name, (2, 13))
    _write(strip, f"{low:.2g}..{high:.2g}", (2, 28))
    x = np.linspace(_NAME_PX + 40, TILE_WIDTH_PX - 6, both.shape[1])
    for values, color in zip(both, (TAUGHT_COLOR, PREDICTED_COLOR), strict=True):
        y = _CURVE_PX - 5 - (values - low) / max(high - low, 1e-9) * (_CURVE_PX - 10)
        line = [np.round(np.stack([x, y], axis=1)).astype(np.int32)]
        cv2.polylines(strip, line, False, color, 2, cv2.LINE_AA)
    return strip


def _write(strip: np.ndarray, text: str, at: tuple[int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(strip, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.34, _INK, 1, cv2.LINE_AA)
