"""Metrics of a detector of any format: COCO AP, calibration, and the best score threshold."""

from collections.abc import Sequence

from robot_vision.training.metrics.calibration import best_threshold, expected_calibration_error
from robot_vision.training.metrics.coco import average_precision
from robot_vision.training.metrics.selected import FoundBoxes


def box_figures(found: Sequence[FoundBoxes], class_names: tuple[str, ...]) -> dict[str, float]:
    """AP, AP50, AP75, `AP/<class>`, calibration and the best threshold."""
    figures = average_precision(found, class_names, kind="bbox")
    figures["calibration_error"] = expected_calibration_error(found)
    figures["best_f1"], figures["best_f1_threshold"] = best_threshold(found)
    return figures
