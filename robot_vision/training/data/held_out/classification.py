"""Held-out pictures of one class each, for measuring and verifying a classifier."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.formats.activations import softmax
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.crops import CropOptions, CropSet, open_crops, picture_rows
from robot_vision.training.data.caches.picture_cache import PictureCache, spread
from robot_vision.training.data.held_out.cached import CachedHeldOut
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.classification import classification_figures, resampled_top1
from robot_vision.training.metrics.trivial_classifiers import TrivialClassifiers, looks

_BATCH = 32
# The trivial baselines hardly change with more.
_TRIVIAL_PICTURES = 3000


class ClassificationHeldOut(CachedHeldOut):
    """Pictures of a set at the model's size, and the trivial baselines of `known`, the training
    pictures. Raises `ConfigError` if the classes of the two differ."""

    def __init__(
        self, folder: str, known: CropSet, *, crop: CropOptions, size: Size, cache_dir: str
    ) -> None:
        self._known, self._cache_dir = known, cache_dir
        self._held_out = open_crops(folder, crop)
        check_same_classes(folder, self._held_out.class_names, known.class_names)
        super().__init__(size, self._cached(self._held_out, size))
        self._feature_stride_px = 16.0  # if there are no features: the manifest's default

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """As in the base class, and the stride of the features for the manifest."""
        (predict,) = predictors.values()
        answer = predict({"rgb": self._cache.rgb([0])})
        if "features" in answer:
            self._feature_stride_px = self._cache.size.width_px / answer["features"].shape[-1]
        return super().metrics(predictors)

    def figures(
        self, predict: Predictor, *, pictures: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """Figures on `pictures` (0: all) spread over the set, those of the trivial baselines, and
        `top1_gain` over the best of these."""
        rows = spread(len(self._cache), pictures)
        class_id = np.array([self._held_out.crops[row].class_row for row in rows])
        logits = [predict({"rgb": self._cache.rgb(part)})["output"] for part in _parts(rows)]
        probability = softmax(np.concatenate(logits).reshape(len(rows), -1).astype(np.float32))
        found = classification_figures(probability, class_id, self._held_out.class_names)
        trivial = self._trivial.top1(_looks(self._cache, rows), class_id)
        gain = found["top1"] - trivial["trivial_top1"]
        figures = {"top1": found["top1"], "top1_gain": gain} | found | trivial
        if intervals:
            picture = picture_rows([self._held_out.crops[row] for row in rows])
            figures |= bounds(resampled_top1(probability, class_id, picture))
        return figures

    @cached_property
    def _trivial(self) -> TrivialClassifiers:
        cache = self._known_cache()
        rows = spread(len(cache), _TRIVIAL_PICTURES)
        class_id = np.array([self._known.crops[row].class_row for row in rows])
        return TrivialClassifiers(_looks(cache, rows), class_id, len(self._known.class_names))

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="classification",
            input=values.pop("image"),
            file=file,
            classes=self._known.class_names,
            reading=OutputReading(scores="logits"),
            feature_stride_px=self._feature_stride_px,
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    def _known_cache(self) -> PictureCache:
        assert self.size
        return self._cached(self._known, self.size)

    def _cached(self, crops: CropSet, size: Size) -> PictureCache:
        return PictureCache(crops.crops, size, source=crops.folder, cache_dir=self._cache_dir)


def _looks(cache: PictureCache, rows: list[int]) -> Float32[np.ndarray, "n d"]:
    return np.concatenate([looks(cache.rgb(part)) for part in _parts(rows)])


def _parts(rows: list[int]) -> list[list[int]]:
    return [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
