"""Held-out pictures of one class each: by them a classifier is measured and proven."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifest import ModelManifest, OutputReading
from robot_vision.formats.activations import softmax
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.crops import CropOptions, CropSet, open_crops
from robot_vision.training.data.names import in_words
from robot_vision.training.data.picture_cache import PictureCache, spread
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.classification import classification_figures
from robot_vision.training.metrics.trivial_classifiers import TrivialClassifiers

_BATCH = 32
# The trivial answers hardly change with more.
_TRIVIAL_PICTURES = 3000


class ClassificationHeldOut(HeldOut):
    """Pictures of a set at the model's size, and the trivial answers of `known`, the training
    pictures. Raises `ConfigError` if the classes of the two differ."""

    def __init__(
        self, folder: str, known: CropSet, *, crop: CropOptions, size: Size, cache_dir: str
    ) -> None:
        self.size = size
        self._known, self._cache_dir = known, cache_dir
        self._held_out = open_crops(folder, crop)
        check_same_classes(folder, self._held_out.class_names, known.class_names)
        self._cache = self._cached(self._held_out)

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures spread over the set, as the service would feed them."""
        del graph
        return ({"rgb": self._cache.rgb([row])} for row in spread(len(self._cache), count))

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures spread over the training set."""
        del graph
        cache = self._cached(self._known)
        return ({"rgb": cache.rgb([row])} for row in spread(len(cache), count))

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All figures, rounded."""
        (predict,) = predictors.values()
        return {name: round(value, 4) for name, value in self.figures(predict).items()}

    def figures(self, predict: Predictor, *, pictures: int = 0) -> dict[str, float]:
        """Figures on `pictures` (0: all) spread over the set, those of the trivial answers, and
        `top1_gain` over the best of these."""
        rows = spread(len(self._cache), pictures)
        class_id = np.array([self._held_out.crops[row].class_row for row in rows])
        logits = [predict({"rgb": self._cache.rgb(part)})["output"] for part in _parts(rows)]
        probability = softmax(np.concatenate(logits).reshape(len(rows), -1).astype(np.float32))
        found = classification_figures(probability, class_id, self._held_out.class_names)
        trivial = self._trivial.top1(self._cache.rgb(rows), class_id)
        gain = found["top1"] - trivial["trivial_top1"]
        return {"top1": found["top1"], "top1_gain": gain} | found | trivial

    @cached_property
    def _trivial(self) -> TrivialClassifiers:
        cache = self._cached(self._known)
        rows = spread(len(cache), _TRIVIAL_PICTURES)
        class_id = np.array([self._known.crops[row].class_row for row in rows])
        return TrivialClassifiers(cache.rgb(rows), class_id, len(self._known.class_names))

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="classification",
            input=values.pop("image"),
            file=file,
            classes=self._known.class_names,
            reading=OutputReading(scores="logits"),
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    def _cached(self, crops: CropSet) -> PictureCache:
        assert self.size
        return PictureCache(crops.crops, self.size, source=crops.folder, cache_dir=self._cache_dir)


def check_same_classes(folder: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise `ConfigError` if the classes of a held-out set are not those of the training set."""
    if found == wanted:
        return
    differs = [
        f"{what} {in_words(names)}"
        for what, names in (
            ("it lacks", tuple(name for name in wanted if name not in found)),
            ("it alone has", tuple(name for name in found if name not in wanted)),
        )
        if names
    ]
    raise ConfigError(
        f"{folder} has the classes {in_words(found)}; expected those of the training set in their "
        f"order: {in_words(wanted)} ({'; '.join(differs) or 'the same in another order'})"
    )


def _parts(rows: list[int]) -> list[list[int]]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
