"""Pictures with their objects, a detector's boxes, and its class map if it has one."""

import cv2
import numpy as np

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.parameters.config import DetectorConfig
from robot_vision.core.types import Detections
from robot_vision.export.measured_set import load_matched_set, read_rgb
from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.export.sheets.canvas import (
    INK,
    Picture,
    at_width,
    beside,
    captioned,
    colored,
    tag,
)
from robot_vision.model_store.store import Bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.whole_picture import segmentation_of
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.labelled import Annotated
from robot_vision.training.metrics.calibration import taken_objects

_COUNT, _WIDTH_PX, _HALF_PX = 12, 396, 298
_TRUTH, _RIGHT, _WRONG = (255, 255, 255), (0, 90, 200), (200, 40, 20)


def box_tiles(bundle: Bundle, held_out: str) -> list[Picture]:
    """A tile per picture, at the bundle's own score threshold, from colour alone.

    Objects are thin and white, correct detections blue, false ones red. A multi-task model
    also shows its class of each pixel.
    """
    manifest = bundle.manifest
    matched = load_matched_set(held_out, manifest.classes)
    opened, only = matched.source, DetectorConfig(classes=[*matched.labelled])
    model, detector = PictureModel(bundle), Detector(manifest, only)
    tiles = []
    for row in spread(len(opened.images), _COUNT):
        image = opened.images[row]
        rgb = read_rgb(image)
        run = model.run(rgb)
        found = detector.detections(run, stamp_ns=0)
        labels = segmentation_of(run, stamp_ns=0)
        width_px = _WIDTH_PX if labels is None else _HALF_PX
        picture = at_width(rgb, width_px)
        drawn, words = _with_boxes(picture, image, found, manifest.classes)
        parts = [drawn]
        if labels is not None:
            answer = (labels.class_id + 1).astype(np.uint8)
            parts.append(colored(picture, answer, first=1))
        tiles.append(captioned(beside(parts), [(words, INK)]))
    return tiles


def _with_boxes(
    picture: Picture, image: Annotated, found: Detections, names: tuple[str, ...]
) -> tuple[Picture, str]:
    """The picture with boxes, and how many are correct."""
    drawn, scale = picture.copy(), picture.shape[1] / image.width_px
    same = found.class_id[:, None] == image.class_id
    taken = taken_objects(np.where(same, pairwise_iou(found.box_xyxy_px, image.box_xyxy_px), 0.0))
    for box in image.box_xyxy_px * scale:
        _rectangle(drawn, box, _TRUTH, 1)
    for row in reversed(range(len(found))):
        color = _RIGHT if taken[row] >= 0 else _WRONG
        box = found.box_xyxy_px[row] * scale
        _rectangle(drawn, box, color, 2)
        words = f"{names[found.class_id[row]]} {found.score[row]:.2f}"
        tag(drawn, words, (round(float(box[0])), round(float(box[1]))), color)
    right = int((taken >= 0).sum())
    return drawn, f"{right} of {len(image.class_id)} found, {len(found) - right} false"


def _rectangle(
    picture: Picture, box_xyxy_px: np.ndarray, color: tuple[int, int, int], thickness: int
) -> None:
    x0, y0, x1, y1 = (round(float(v)) for v in box_xyxy_px)
    cv2.rectangle(picture, (x0, y0), (x1, y1), color, thickness)
