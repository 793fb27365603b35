"""Held-out pictures with depth, for measuring and verifying a model of depth from colour."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.open_samples import samples_of
from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.samples import MILLIMETRES_PER_METRE, Sample, SampleCache
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.depth import DepthErrors

# Of depth: the median hardly changes with more.
_MEDIAN_IMAGES = 200


class DepthHeldOut(HeldOut):
    """Pictures of a set at the model's size, and the trivial baseline: `median_depth_m`, that of
    the training set, everywhere. Raises `ConfigError` if the set has no depth."""

    def __init__(
        self, *, folder: str, train_folder: str, size: Size, median_depth_m: float, cache_dir: str
    ) -> None:
        self.size = size
        self._train_folder, self._cache_dir = train_folder, cache_dir
        self._median_depth_m = median_depth_m
        self._cache = open_depth_set(folder, size, cache_dir=cache_dir)

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """The first pictures of the set, as the service would feed them."""
        del graph
        return _inputs(self._cache, count)

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures of the training set."""
        del graph
        assert self.size
        return _inputs(
            open_depth_set(self._train_folder, self.size, cache_dir=self._cache_dir), count
        )

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All figures, rounded."""
        (predict,) = predictors.values()
        return {
            name: round(value, 4) for name, value in self.figures(predict, intervals=True).items()
        }

    def figures(
        self, predict: Predictor, *, images: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """AbsRel, RMSE and δ1 on the first `images` (0: all), AbsRel and RMSE of the trivial
        baseline, and the fraction of its AbsRel removed: `absrel_gain`, 1 at best."""
        errors, trivial = DepthErrors(), DepthErrors()
        for index in range(min(images or len(self._cache), len(self._cache))):
            sample = self._cache[index]
            true_m = true_depth_m(sample)
            found = predict({"rgb": sample.rgb[None]})["depth"]
            size = true_m.shape[::-1]
            depth_m = cv2.resize(found.reshape(found.shape[-2:]).astype(np.float32), size)
            errors.add(depth_m, true_m, true_m > 0)
            trivial.add(np.full_like(true_m, self._median_depth_m), true_m, true_m > 0)
        figures, baseline = errors.summary(), trivial.summary()
        if intervals:
            absrel, of_trivial = errors.resampled_absrel(), trivial.resampled_absrel()
            gain = 1 - absrel / np.maximum(of_trivial, 1e-9)
            figures |= bounds({"absrel": absrel, "absrel_gain": gain})
        return figures | {
            "absrel_gain": 1 - figures["absrel"] / max(baseline["absrel"], 1e-9),
            "trivial_absrel": baseline["absrel"],
            "trivial_rmse_m": baseline["rmse_m"],
        }

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(task="depth", input=values.pop("image"), file=file, **values)
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE


def open_depth_set(folder: str, size: Size, *, cache_dir: str) -> SampleCache:
    """A set with depth, at a size; raises `ConfigError` if there is none or it has no depth."""
    return samples_of(
        load_depth_set(folder),
        folder,
        width_px=size.width_px,
        height_px=size.height_px,
        cache_dir=cache_dir,
    )


def load_depth_set(folder: str) -> DetectionSet:
    """A set with depth, its pictures not yet decoded; raises `ConfigError` as `open_depth_set`."""
    if not folder:
        raise ConfigError("no folder of a set: expected one, such as options.train_set=data/train")
    source = load_detection_set(folder)
    if not any(image.depth_true_file or image.depth_file for image in source.images):
        raise ConfigError(
            f"{folder} has no depth: expected `depth_true_file` or `depth_file` in the images of "
            "annotations.json (16-bit PNGs of millimetres)"
        )
    return source


def true_depth_m(sample: Sample) -> Float32[np.ndarray, "h w"]:
    """Depth at a quarter of the size: exact, or the sensor's if the set has none."""
    truth_mm, sensor_mm = sample.depth_true_mm[2::4, 2::4], sample.depth_mm[2::4, 2::4]
    return np.where(truth_mm > 0, truth_mm, sensor_mm).astype(np.float32) / MILLIMETRES_PER_METRE


def median_depth_m(cache: SampleCache) -> float:
    """The median depth of a set; raises `ConfigError` if no pixel has any."""
    rows = np.unique(np.linspace(0, len(cache) - 1, _MEDIAN_IMAGES).round().astype(int))
    found = np.concatenate([true_depth_m(cache[int(row)]).ravel() for row in rows])
    known = found[found > 0]
    if not known.size:
        raise ConfigError(f"{cache.source.root}: its depth images are empty")
    return float(np.median(known))


def _inputs(cache: SampleCache, count: int) -> Iterator[dict[str, np.ndarray]]:
    for index in range(min(count, len(cache))):
        yield {"rgb": cache[index].rgb[None]}
