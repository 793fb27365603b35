"""Figures of a detector of any format: COCO AP, calibration, and the score that serves best."""

from collections.abc import Iterator

from robot_vision.training.data.samples import SampleCache
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.calibration import best_threshold, expected_calibration_error
from robot_vision.training.metrics.coco import average_precision
from robot_vision.training.metrics.selected import BoxSelection, FoundBoxes


def box_metrics(
    predict: Predictor, cache: SampleCache, select: BoxSelection, *, images: int = 0
) -> dict[str, float]:
    """AP, AP50, AP75, `AP/<class>`, calibration and best threshold on the first `images`.

    0 are all. `predict` is given `rgb` u8 [1,h,w,3] and answers by the roles of the format.
    """
    found = list(_find(predict, cache, select, min(images or len(cache), len(cache))))
    metrics = average_precision(found, cache.source.class_names, kind="bbox")
    metrics["calibration_error"] = expected_calibration_error(found)
    metrics["best_f1"], metrics["best_f1_threshold"] = best_threshold(found)
    return metrics


def _find(
    predict: Predictor, cache: SampleCache, select: BoxSelection, count: int
) -> Iterator[FoundBoxes]:
    for index in range(count):
        sample = cache[index]
        yield select.boxes(sample, predict({"rgb": sample.rgb[None]}))
