"""Detectors of any format: AP by COCO's rules, and each picture's F1 for the service's output."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.comparing.judge import Case, Judge, Side, register_judge
from robot_vision.export.measured_set import open_matched
from robot_vision.model_store.store import Bundle
from robot_vision.training.metrics.boxes import box_figures
from robot_vision.training.metrics.calibration import mistakes, right_detections
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.selected import FoundBoxes

_THRESHOLD = 0.25  # where the manifest has none
_TRUTH_RGB, _RIGHT_RGB, _WRONG_RGB = (0, 200, 0), (60, 140, 255), (255, 40, 40)


def judge(bundle: Bundle, case: Case) -> Side:
    manifest = bundle.manifest
    classes = manifest.classes
    measured = open_matched(case.held_out, bundle, cache_dir=case.cache)
    count = len(measured.samples)
    found = list(measured.boxes_found(bundle, min(case.images or count, count)))
    threshold = manifest.score_threshold or _THRESHOLD
    figures = box_figures(found, classes)
    return Side(
        figures={name: figures[name] for name in ("AP", "AP50")},
        resampled=resampled_precision(found, len(classes)),
        pictures=len(found),
        names=tuple(f"picture {seen.sample.image_id}" for seen in found),
        scores=np.array([f1(seen, threshold) for seen in found]),
        drawn=lambda row: _drawn(found[row], classes, threshold),
    )


def f1(found: FoundBoxes, threshold: float) -> float:
    """F1 of a picture's detections above the threshold; 1 if it is empty and nothing is found."""
    is_said = found.score >= threshold
    right = int((right_detections(found) & is_said).sum())
    wrong = mistakes(found, threshold)
    return 2 * right / (2 * right + wrong) if right + wrong else 1.0


def _drawn(
    found: FoundBoxes, classes: tuple[str, ...], threshold: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Truth thin and green, correct detections blue, wrong ones red with a dashed label."""
    tile = np.ascontiguousarray(found.sample.rgb)
    for box in found.sample.box_xyxy_px:
        _box(tile, box, "", _TRUTH_RGB, 1)
    right = right_detections(found)
    for row in np.flatnonzero(found.score >= threshold):
        name = f"{classes[found.class_id[row]]} {found.score[row]:.2f}"
        label, color = (name, _RIGHT_RGB) if right[row] else (f"{name} wrong", _WRONG_RGB)
        _box(tile, found.box_xyxy_px[row], label, color, 2)
    return tile


def _box(
    tile: UInt8[np.ndarray, "h w 3"],
    box_xyxy_px: Float32[np.ndarray, "4"],
    label: str,
    color: tuple[int, int, int],
    thickness: int,
) -> None:
    left, top, right, bottom = (round(side) for side in box_xyxy_px.tolist())
    cv2.rectangle(tile, (left, top), (right, bottom), color, thickness)
    at = (left, max(top - 3, 8))
    cv2.putText(tile, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, color, 1, cv2.LINE_AA)


register_judge(
    Judge(tasks=("detection", "multitask"), about="boxes of a detector, from colour", judge=judge)
)
