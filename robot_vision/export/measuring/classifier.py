"""Metrics of a classifier bundle on a held-out set, as the service runs it."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.files.figures import write_figures
from robot_vision.export.measuring.picture_bundle import Measured, PictureModel, weights_travel
from robot_vision.formats.classification import decode_classification
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.crops import Crop, CropOptions, open_crops, picture_rows
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.held_out.classification import check_same_classes
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.classification import classification_figures, resampled_top1
from robot_vision.training.metrics.tiles import captioned, write_tiles

_TILE_PX, _COLUMNS = 160, 6
_PAIRS = 5


def measure_classifier(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    """Top-1, top-5, calibration and recall by class on `images` (0: all) spread over a set.

    A set with boxes gives the crops that the bundle's weights were trained on. Writes
    `metrics.json` and `gallery.png`: the `worst` pictures, those with the least probable true
    class first. Raises `ConfigError` if the set has other classes.
    """
    names = bundle.manifest.classes
    options = CropOptions.model_validate(weights_travel(bundle).get("crop", {}))
    opened = open_crops(str(held_out), options)
    check_same_classes(str(held_out), opened.class_names, names)
    crops = [opened.crops[row] for row in spread(len(opened.crops), images)]
    probability = probabilities_of(PictureModel(bundle), crops)
    class_id = np.array([crop.class_row for crop in crops])
    metrics = classification_figures(probability, class_id, names)
    metrics |= bounds(resampled_top1(probability, class_id, picture_rows(crops)))
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    write_figures(out / "metrics.json", rounded)
    order = np.argsort(probability[np.arange(len(crops)), class_id])[:worst]
    tiles = [captioned_crop(crops[row], probability[row], names) for row in order]
    write_tiles(out / "gallery.png", tiles, columns=min(_COLUMNS, len(tiles)))
    return Measured(
        metrics=rounded,
        notes=_confused(probability, class_id, names),
        files=("metrics.json", "gallery.png"),
    )


def probabilities_of(model: PictureModel, crops: list[Crop]) -> Float32[np.ndarray, "n c"]:
    """For each class, in the order of the manifest."""
    rows = []
    for crop in crops:
        run = model.run(crop.decode().rgb)
        found = decode_classification(run.outputs, run.manifest, stamp_ns=0)
        rows.append(found.probability[np.argsort(found.class_id)])
    return np.stack(rows)


def captioned_crop(crop: Crop, probability: Float32[np.ndarray, " c"], names: tuple[str, ...]):
    side = max(crop.width_px, crop.height_px)
    size = (
        max(1, round(crop.width_px * _TILE_PX / side)),
        max(1, round(crop.height_px * _TILE_PX / side)),
    )
    picture = np.full((_TILE_PX, _TILE_PX, 3), 114, np.uint8)
    picture[: size[1], : size[0]] = cv2.resize(crop.decode().rgb, size)
    true, said = crop.class_row, int(probability.argmax())
    lines = (
        f"truth {names[true]} {probability[true]:.2f}",
        f"answer {names[said]} {probability[said]:.2f}",
        crop.name,
    )
    return captioned(picture, lines)


def _confused(
    probability: Float32[np.ndarray, "n c"],
    class_id: Int64[np.ndarray, " n"],
    names: tuple[str, ...],
) -> tuple[str, ...]:
    said = probability.argmax(axis=1)
    wrong = Counter(zip(class_id[said != class_id], said[said != class_id], strict=True))
    return tuple(
        f"{names[true]} taken for {names[answer]}: {count}"
        for (true, answer), count in wrong.most_common(_PAIRS)
    )
