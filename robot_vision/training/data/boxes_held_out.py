"""A held-out set, by which a detector that is given colour alone is proven and measured."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.manifest import ModelManifest, OutputReading
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.perception_held_out import PerceptionHeldOut
from robot_vision.training.data.samples import SampleCache
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.boxes import box_metrics
from robot_vision.training.metrics.selected import BoxSelection


class BoxesHeldOut(PerceptionHeldOut):
    """Frames of a set at the model's size, and what a detector of `format` finds in them.

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
        figures = {name: round(value, 4) for name, value in self.figures(predict).items()}
        return figures | self._origins()

    def figures(self, predict: Predictor, *, images: int = 0) -> dict[str, float]:
        """Those of `box_metrics` on the first `images`; 0 are all."""
        return box_metrics(predict, self._cache, self._select, images=images)

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task=FORMATS.get(values["format"]).task,
            input=values.pop("image"),
            file=file,
            classes=self._classes,
            reading=self._reading,
            score_threshold=round(float(values["metrics"]["best_f1_threshold"]), 2),
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    @staticmethod
    def _inputs(cache: SampleCache, count: int) -> Iterator[dict[str, np.ndarray]]:
        for index in range(min(count, len(cache))):
            yield {"rgb": cache[index].rgb[None]}
