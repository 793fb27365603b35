"""Held-out pictures with label maps, for measuring and verifying a segmentation model."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import PictureCache, spread
from robot_vision.training.data.held_out.cached import CachedHeldOut
from robot_vision.training.data.labels.label_map_set import LabelMapSet, open_label_maps
from robot_vision.training.data.labels.label_maps import BACKGROUND
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.engine.task import Predictor
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.segmentation import SegmentationCounts, at_cells
from robot_vision.training.metrics.trivial_label_maps import TrivialLabelMaps

# The trivial baselines hardly change with more.
_TRIVIAL_PICTURES = 200
_CELL_PX = 4  # of the baselines' answer grid, as in most models

_Rgb = UInt8[np.ndarray, "h w 3"]
_Labels = UInt8[np.ndarray, "h w"]


class SegmentationHeldOut(CachedHeldOut):
    """Pictures of a set at the model's size, and the trivial baselines of `known`, the training
    pictures. Raises `ConfigError` if the classes of the two differ."""

    def __init__(self, folder: str, known: LabelMapSet, *, size: Size, cache_dir: str) -> None:
        self._known, self._cache_dir = known, cache_dir
        held_out = open_label_maps(folder)
        check_same_classes(folder, held_out.class_names, known.class_names)
        super().__init__(size, self._cached(held_out, size))

    def figures(
        self, predict: Predictor, *, pictures: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """Figures on `pictures` (0: all) spread over the set, mIoU of the trivial baselines, and
        `miou_gain` over the best of these.

        The truth is read at the centre of each cell of the answer.
        """
        names = self._known.class_names
        counts, trivial = SegmentationCounts(names), dict[str, SegmentationCounts]()
        for row in spread(len(self._cache), pictures):
            rgb, labels = self._cache.rgb([row])[0], self._cache.labels(row)
            answer = predict({"rgb": rgb[None]})["output"][0].argmax(axis=0).astype(np.uint8)
            rows, columns = answer.shape
            counts.add(answer, at_cells(labels, rows=rows, columns=columns))
            small_rgb, small_labels = _cells(rgb, labels)
            for which, said in self.trivial.answers(small_rgb).items():
                trivial.setdefault(which, SegmentationCounts(names)).add(said, small_labels)
        found = counts.summary()
        naive = {f"trivial_miou/{w}": c.summary()["miou"] for w, c in trivial.items()}
        best = max(naive.values())
        gain = found["miou"] - best
        headline = {"miou": found["miou"], "miou_gain": gain}
        beside = naive | bounds(counts.resampled()) if intervals else naive
        return headline | found | {"trivial_miou": best} | beside

    @cached_property
    def trivial(self) -> TrivialLabelMaps:
        """The trivial baselines, fitted to the training pictures."""
        return fit_trivial(self._known_cache(), len(self._known.class_names))

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values, names = dict(manifest_values), self._known.class_names
        (file,) = values.pop("files")
        has_background = names[0] == BACKGROUND
        manifest = ModelManifest(
            task="segmentation",
            input=values.pop("image"),
            file=file,
            classes=names[has_background:],
            reading=OutputReading(
                scores="logits", background="first" if has_background else "none"
            ),
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    def _known_cache(self) -> PictureCache:
        assert self.size
        return self._cached(self._known, self.size)

    def _cached(self, known: LabelMapSet, size: Size) -> PictureCache:
        return PictureCache(known.pictures, size, source=known.folder, cache_dir=self._cache_dir)


def fit_trivial(cache: PictureCache, classes: int) -> TrivialLabelMaps:
    """The trivial baselines for a cache's pictures, at a quarter of their size."""
    rows = spread(len(cache), _TRIVIAL_PICTURES)
    pairs = (_cells(cache.rgb([row])[0], cache.labels(row)) for row in rows)
    return TrivialLabelMaps(pairs, classes)


def _cells(
    rgb: _Rgb, labels: _Labels
) -> tuple[UInt8[np.ndarray, "rows columns 3"], UInt8[np.ndarray, "rows columns"]]:
    """A picture and its label map at the centres of quarter-size cells."""
    middle = slice(_CELL_PX // 2, None, _CELL_PX)
    return np.ascontiguousarray(rgb[middle, middle]), labels[middle, middle]
