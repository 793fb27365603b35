"""The figures of a detector's bundle of any format on a held-out set."""

import json
from collections.abc import Iterator
from pathlib import Path

from robot_vision.export.picture_bundle import Measured, PictureModel
from robot_vision.model_store.store import Bundle
from robot_vision.perception.detect import Detector
from robot_vision.training.data.names import check_same_classes
from robot_vision.training.data.open_samples import open_samples
from robot_vision.training.data.samples import SampleCache
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.boxes import box_figures
from robot_vision.training.metrics.confusions import confusions
from robot_vision.training.metrics.gallery import draw_gallery
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.selected import SELECTION, FoundBoxes


def measure_detector(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    """AP with its interval, calibration, and what is confused on the first `images` (0: all).

    Writes `metrics.json`, `confusions.csv` and `gallery.png`, the `worst` pictures by mistakes.
    Raises `ConfigError` if the set has other classes.
    """
    size, names = bundle.manifest.input, bundle.manifest.classes
    cache = open_samples(held_out, width_px=size.width_px, height_px=size.height_px)
    check_same_classes(str(held_out), cache.source.class_names, names)
    found = list(_found(bundle, cache, min(images or len(cache), len(cache))))
    figures = box_figures(found, names) | bounds(resampled_precision(found, len(names)))
    metrics = {name: round(value, 4) for name, value in figures.items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    threshold = metrics["best_f1_threshold"]
    draw_gallery(found, names, out / "gallery.png", threshold=threshold, count=worst)
    confused = confusions(found, names, threshold=threshold)
    confused.write(out / "confusions.csv")
    return Measured(
        metrics=metrics,
        notes=(f"at {threshold}: {confused.summary()}",),
        files=("metrics.json", "confusions.csv", "gallery.png"),
    )


def _found(bundle: Bundle, cache: SampleCache, count: int) -> Iterator[FoundBoxes]:
    model, detector = PictureModel(bundle), Detector(bundle.manifest, SELECTION)
    for index in range(count):
        sample = cache[index]
        found = detector.detections(model.run(sample.rgb), stamp_ns=0)
        yield FoundBoxes(
            sample=sample,
            box_xyxy_px=found.box_xyxy_px,
            score=found.score,
            class_id=found.class_id,
        )
