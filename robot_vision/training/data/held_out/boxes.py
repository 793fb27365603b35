"""A held-out set for verifying and measuring a detector that uses only colour."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.held_out.perception import PerceptionHeldOut
from robot_vision.training.data.samples.samples import Sample, SampleCache
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.boxes import box_figures
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.selected import BoxSelection, FoundBoxes
from robot_vision.training.metrics.trivial_boxes import TrivialBoxes

_FITTED = 500  # training pictures: the commonest boxes hardly change with more


class BoxesHeldOut(PerceptionHeldOut):
    """Frames of a set at the model's size, and the findings of a detector of `format`.

    Raises `ConfigError` if the set has other classes.
    """

    def __init__(
        self,
        *,
        folder: str,
        train_folder: str,
        cache_dir: str,
        classes: tuple[str, ...],
        size: Size,
        format: str,
        reading: OutputReading,
    ) -> None:
        super().__init__(
            folder=folder,
            train_folder=train_folder,
            cache_dir=cache_dir,
            classes=classes,
            size=size,
        )
        self._reading = reading
        self._select = BoxSelection(
            format, classes, width_px=size.width_px, height_px=size.height_px, reading=reading
        )

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All figures, rounded; classes as `AP/<class>`."""
        (predict,) = predictors.values()
        figures = self.figures(predict, intervals=True)
        if "AP50" in figures:
            figures["trivial_AP50"] = self._trivial_ap50()
        return {name: round(value, 4) for name, value in figures.items()} | self._origins()

    def _trivial_ap50(self) -> float:
        """AP50 of the same boxes in every picture, the commonest ones of the training set."""
        assert self.size
        known = self._open(self._train_folder)
        trivial = TrivialBoxes(
            ((known[row].box_xyxy_px, known[row].class_id) for row in spread(len(known), _FITTED)),
            width_px=self.size.width_px,
            height_px=self.size.height_px,
        )
        found = [
            FoundBoxes(
                sample=sample,
                box_xyxy_px=trivial.box_xyxy_px,
                score=trivial.score,
                class_id=trivial.class_id,
            )
            for sample in self._samples(0)
        ]
        return box_figures(found, self._classes)["AP50"]

    def figures(
        self, predict: Predictor, *, images: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """`box_figures` on the first `images` (0: all), with bounds if requested."""
        found = [
            self._select.boxes(sample, predict({"rgb": sample.rgb[None]}))
            for sample in self._samples(images)
        ]
        figures = box_figures(found, self._classes)
        if intervals:
            figures |= bounds(resampled_precision(found, len(self._classes)))
        return figures

    def _samples(self, images: int) -> Iterator[Sample]:
        for index in range(min(images or len(self._cache), len(self._cache))):
            yield self._cache[index]

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        threshold = round(float(manifest_values["metrics"]["best_f1_threshold"]), 2)
        return self._write(
            folder, manifest_values, reading=self._reading, score_threshold=threshold
        )

    def _write(self, folder: Path, manifest_values: dict[str, Any], **more: Any) -> Path:
        values = manifest_values | more
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task=FORMATS.get(values["format"]).task,
            input=values.pop("image"),
            file=file,
            classes=self._classes,
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    @staticmethod
    def _inputs(cache: SampleCache, count: int) -> Iterator[dict[str, np.ndarray]]:
        for index in range(min(count, len(cache))):
            yield {"rgb": cache[index].rgb[None]}
