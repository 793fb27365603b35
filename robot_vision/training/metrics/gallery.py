"""A gallery of the images with a model's worst errors, for inspection."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.training.metrics.calibration import mistakes, right_detections
from robot_vision.training.metrics.selected import FoundBoxes
from robot_vision.training.metrics.tiles import write_tiles

TRUTH_RGB = (0, 220, 0)
RIGHT_RGB = (60, 140, 255)
WRONG_RGB = (255, 40, 40)
COLUMNS = 4


def draw_gallery(
    found: Sequence[FoundBoxes],
    class_names: tuple[str, ...],
    picture: Path,
    *,
    threshold: float,
    count: int,
) -> list[int]:
    """Draw the `count` images with most mistakes at `threshold`; returns their image ids.

    Truth is green and thin, correct detections blue, false alarms red; a truth without blue is
    a miss.
    """
    worst = sorted(found, key=lambda f: mistakes(f, threshold), reverse=True)[:count]
    tiles = [_tile(f, class_names, threshold) for f in worst]
    write_tiles(picture, tiles, columns=COLUMNS)
    return [f.sample.image_id for f in worst]


def _tile(
    found: FoundBoxes, class_names: tuple[str, ...], threshold: float
) -> UInt8[np.ndarray, "h w 3"]:
    tile = np.ascontiguousarray(found.sample.rgb)
    for box, class_id in zip(found.sample.box_xyxy_px, found.sample.class_id, strict=True):
        _box(tile, box, class_names[class_id], color=TRUTH_RGB, thickness=1, below=True)
    right = right_detections(found)
    for row in np.flatnonzero(found.score >= threshold):
        label = f"{class_names[found.class_id[row]]} {found.score[row]:.2f}"
        color = RIGHT_RGB if right[row] else WRONG_RGB
        _box(tile, found.box_xyxy_px[row], label, color=color, thickness=2, below=False)
    text = f"image {found.sample.image_id}: {mistakes(found, threshold)} mistakes"
    cv2.putText(tile, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1)
    return tile


def _box(
    tile: UInt8[np.ndarray, "h w 3"],
    box_xyxy_px: Float32[np.ndarray, "4"],
    label: str,
    *,
    color: tuple[int, int, int],
    thickness: int,
    below: bool,
) -> None:
    x0, y0, x1, y1 = (round(v) for v in box_xyxy_px.tolist())
    cv2.rectangle(tile, (x0, y0), (x1, y1), color, thickness)
    at = (x0, min(y1 + 9, tile.shape[0] - 2) if below else max(y0 - 3, 8))
    cv2.putText(tile, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.33, color, 1)
