"""A held-out set of pictures for verifying and measuring an exported perception model."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import read_json
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.models.multitask.native_parts import FEATURE_STRIDE
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.data.opening.open_set import set_and_split
from robot_vision.training.data.samples.samples import SampleCache, collate
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.native import evaluate


class PerceptionHeldOut(HeldOut):
    """Frames of a set at the model's size; raises `ConfigError` if it has other classes."""

    def __init__(
        self,
        *,
        folder: str,
        train_folder: str,
        cache_dir: str,
        classes: tuple[str, ...],
        size: Size,
    ) -> None:
        self.size = size
        self._folder, self._train_folder, self._classes = folder, train_folder, classes
        self._cache_dir = cache_dir
        self._cache = self._open(folder)
        found = self._cache.source.class_names
        if found != classes:
            raise ConfigError(
                f"the weights are for {', '.join(classes) or 'no classes'}; "
                f"{folder} holds {', '.join(found) or 'none'}"
            )

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """The first frames of the set, as the service would feed them."""
        del graph
        return self._inputs(self._cache, count)

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Frames of the training set."""
        del graph
        return self._inputs(self._open(self._train_folder), count)

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All metrics, including masks, rounded; classes as `AP/<class>`."""
        (predictor,) = predictors.values()

        def predict(*arrays: np.ndarray) -> dict[str, np.ndarray]:
            return predictor(dict(zip(("rgb", "depth_m", "focal_px"), arrays, strict=True)))

        found = evaluate(predict, self._cache, masks=True, intervals=True)
        per_class = {f"AP/{name}": value for name, value in found.class_ap.items()}
        rounded = {name: round(value, 4) for name, value in (found.metrics | per_class).items()}
        return rounded | self._origins()

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="multitask",
            input=values.pop("image"),
            file=file,
            classes=self._classes,
            score_threshold=round(float(values["metrics"]["best_f1_threshold"]), 2),
            feature_stride_px=float(FEATURE_STRIDE),
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    def _origins(self) -> dict[str, float | str]:
        return {
            "train_data": _origin(self._train_folder),
            "held_out_data": _origin(self._folder),
        }

    @staticmethod
    def _inputs(cache: SampleCache, count: int) -> Iterator[dict[str, np.ndarray]]:
        for index in range(min(count, len(cache))):
            batch = collate([cache[index]])
            yield {
                "rgb": batch.rgb.numpy(),
                "depth_m": batch.depth_m.numpy(),
                "focal_px": batch.focal_px.numpy(),
            }

    def _open(self, folder: str) -> SampleCache:
        assert self.size
        return open_samples(
            folder,
            width_px=self.size.width_px,
            height_px=self.size.height_px,
            cache_dir=self._cache_dir,
        )


def _origin(folder: str) -> str:
    """The options of `robot-vision scenes generate`, or the name of another kind of set."""
    root, _ = set_and_split(folder)
    file = root / "recipe.json"
    return json.dumps(read_json(file)) if file.is_file() else Path(folder).name
