"""Pictures with which the export verifies an encoder that learnt without labels."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.self_supervised.collapse import spread_of
from robot_vision.training.self_supervised.frames import Frames
from robot_vision.training.self_supervised.labelled import LabelledPair, open_pair
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.views import ViewOptions, middle_views

_FRAMES, _BATCH = 256, 32


def asked_of_frames(
    predict: Predictor, frames: Frames, options: ViewOptions, size: Size
) -> dict[str, np.ndarray]:
    """A model's vectors, by role, for centre crops of up to 256 frames spread over all."""
    rows = spread(len(frames), _FRAMES)
    said: dict[str, list[np.ndarray]] = {}
    for views in middle_views(frames, rows, options, size, batch=_BATCH):
        for role, value in predict({"rgb": views}).items():
            if value.ndim == 2:
                said.setdefault(role, []).append(value)
    return {role: np.concatenate(parts) for role, parts in said.items()}


class FeaturesHeldOut(HeldOut):
    """Frames as in training, and the labelled sets if the recipe names them."""

    def __init__(self, options: SelfSupervisedOptions, frames: Frames, data: Path | None) -> None:
        self._options, self._frames = options, frames
        self._data = str(data or options.labelled_val_set)
        self.size = self._size = options.served_size
        self._feature_stride_px = 16.0

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Centre crops of frames, spread over the sets."""
        del graph
        rows = spread(len(self._frames), count)
        for view in middle_views(self._frames, rows, self._options.views, self._size, batch=1):
            yield {"rgb": view}

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """`spread`, and `knn_top1` if there are labels, over all labelled pictures."""
        (predict,) = predictors.values()
        columns = predict(next(self.inputs("", 1)))["features"].shape[-1]
        self._feature_stride_px = self._size.width_px / columns
        answer = asked_of_frames(predict, self._frames, self._options.views, self._size)
        found: dict[str, float | str] = {"spread": round(spread_of(answer["embedding"]), 4)}
        if self._labels:
            found["knn_top1"] = round(self._labels.knn_top1(predict), 4)
        return found

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="features",
            input=values.pop("image"),
            file=file,
            feature_stride_px=self._feature_stride_px,
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    @cached_property
    def _labels(self) -> LabelledPair | None:
        options = self._options
        if not options.labelled_set:
            return None
        return open_pair(
            options.labelled_set,
            self._data,
            crop=options.crop,
            size=self._size,
            cache_dir=options.cache_dir,
            most=(options.labelled_pictures, 0),
        )
