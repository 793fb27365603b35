"""Held-out pictures with masks, for measuring and verifying slots."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float32, Integer, UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import MANIFEST_FILE, write_bundle
from robot_vision.models.card import Size
from robot_vision.training.data.caches.open_samples import samples_of
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.samples import (
    MILLIMETRES_PER_METRE,
    Sample,
    SampleCache,
    collate,
)
from robot_vision.training.data.samples.sequences import Drift, FrameSequence, drifting
from robot_vision.training.engine.task import HeldOut, Predictor
from robot_vision.training.metrics.bootstrap import bounds, resampled_mean
from robot_vision.training.metrics.rand_index import adjusted_rand_index
from robot_vision.training.metrics.segment_baselines import (
    clusters_of_color,
    components_above_table,
)

_FRAMES = 4
_QUARTER = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class SlotsSeen:
    """A sequence and the slot of each pixel, at a quarter of the size: in the first frame, in the
    third, and in the first without depth; with their adjusted Rand indices."""

    rgb: UInt8[np.ndarray, "frames h w 3"]
    truth: Integer[np.ndarray, "frames hq wq"]
    first: Integer[np.ndarray, "hq wq"]
    third: Integer[np.ndarray, "hq wq"]
    blind: Integer[np.ndarray, "hq wq"]
    ari_first: float
    ari_third: float
    ari_blind: float


class RgbdTemporalHeldOut(HeldOut):
    """Pictures of a set with masks at the model's size, and short sequences made from them.

    `memory` is the shape of what the model carries from frame to frame. Raises `ConfigError` if
    the set has no masks.
    """

    def __init__(
        self,
        *,
        folder: str,
        train_folder: str,
        size: Size,
        memory: tuple[int, int],
        drift: Drift,
        cache_dir: str,
    ) -> None:
        self.size = size
        self._train_folder, self._cache_dir = train_folder, cache_dir
        self._memory = memory
        shown = {"frames": _FRAMES, "depth_withheld": 0.0, "history_withheld": 0.0}
        self._drift = drift.model_copy(update=shown)
        self._cache = open_masks_set(folder, size, cache_dir=cache_dir)

    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """The first pictures of the set, as the service would feed them, each a first frame."""
        del graph
        return self._first_frames(self._cache, count)

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Pictures of the training set."""
        del graph
        assert self.size
        train = open_masks_set(self._train_folder, self.size, cache_dir=self._cache_dir)
        return self._first_frames(train, count)

    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """All figures, rounded, with those of the trivial baselines."""
        (predict,) = predictors.values()
        return {
            name: round(value, 4)
            for name, value in (
                self.figures(predict, intervals=True) | self.trivial_figures()
            ).items()
        }

    def figures(
        self, predict: Predictor, *, images: int = 0, intervals: bool = False
    ) -> dict[str, float]:
        """Adjusted Rand index of the foreground's pixels: mean over pictures of several objects.

        `ari_foreground` of a first frame; `ari_without_depth` of one without depth;
        `ari_sequence` of all frames of a sequence as one picture: slots must keep their objects;
        `ari_last_without_depth` of its last frame, the only one without depth, and
        `ari_last_alone` of the same frame without the history: the value of memory.
        """
        rows: list[dict[str, float]] = []
        for index in self.of_several_things(images):
            rows.append(self._figures_of(self._sequence(self._cache[index], index), predict))
        of_pictures = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        figures = {name: float(values.mean()) for name, values in of_pictures.items()}
        if intervals:
            figures |= bounds({name: resampled_mean(v) for name, v in of_pictures.items()})
        return figures

    def trivial_figures(self) -> dict[str, float]:
        """The same for k-means on colour and place, for points above the table if the set gives
        the focal length, and the better of both as `trivial_ari_foreground`."""
        colors, heights = [], []
        for index in self.of_several_things(0):
            sample = self._cache[index]
            truth = sample.instances[2::_QUARTER, 2::_QUARTER]
            rgb = cv2.resize(sample.rgb, truth.shape[::-1], interpolation=cv2.INTER_AREA)
            depth_m = _depth_m(sample)[2::_QUARTER, 2::_QUARTER]
            focal_px = sample.focal_px / _QUARTER
            colors.append(_ari(clusters_of_color(rgb, count=self._memory[0]), truth))
            if focal_px > 0:
                heights.append(_ari(components_above_table(depth_m, focal_px=focal_px), truth))
        found = {"trivial_ari_colors": float(np.mean(colors))}
        if heights:
            found["trivial_ari_heights"] = float(np.mean(heights))
        return {"trivial_ari_foreground": max(found.values())} | found

    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        values = dict(manifest_values)
        (file,) = values.pop("files")
        manifest = ModelManifest(
            task="features",
            input=values.pop("image"),
            file=file,
            feature_stride_px=_QUARTER,
            **values,
        )
        write_bundle(folder, manifest, folder / file)
        return folder / MANIFEST_FILE

    def seen(self, index: int, predict: Predictor) -> SlotsSeen:
        """A model's slots for the picture of a row, for inspection."""
        sequence = self._sequence(self._cache[index], index)
        truth, rgb = sequence.instances[0].numpy(), sequence.rgb[0].numpy()
        depth_m = sequence.depth_m[0].numpy()
        run = _Watcher(predict, self._nothing_before, truth.shape[1:])
        first, _, third = (run.slot_map(rgb[k], depth_m[k]) for k in range(3))
        run.state = self._nothing_before()
        blind = run.slot_map(rgb[0], np.zeros_like(depth_m[0]))
        return SlotsSeen(
            rgb=rgb,
            truth=truth,
            first=first,
            third=third,
            blind=blind,
            ari_first=_ari(first, truth[0]),
            ari_third=_ari(third, truth[2]),
            ari_blind=_ari(blind, truth[0]),
        )

    def _figures_of(self, sequence: FrameSequence, predict: Predictor) -> dict[str, float]:
        truth = sequence.instances[0].numpy()
        rgb, depth_m = sequence.rgb[0].numpy(), sequence.depth_m[0].numpy()
        blind = np.zeros_like(depth_m[0])
        run = _Watcher(predict, self._nothing_before, truth.shape[1:])
        first = run.slot_map(rgb[0], depth_m[0])
        maps = [first, *(run.slot_map(rgb[k], depth_m[k]) for k in range(1, _FRAMES - 1))]
        before_last = run.state
        last = run.slot_map(rgb[-1], depth_m[-1])
        run.state = before_last
        last_blind = run.slot_map(rgb[-1], blind)
        run.state = self._nothing_before()
        last_alone = run.slot_map(rgb[-1], blind)
        run.state = self._nothing_before()
        first_blind = run.slot_map(rgb[0], blind)
        return {
            "ari_foreground": _ari(first, truth[0]),
            "ari_without_depth": _ari(first_blind, truth[0]),
            "ari_sequence": _ari(np.stack([*maps, last]), truth),
            "ari_last_without_depth": _ari(last_blind, truth[-1]),
            "ari_last_alone": _ari(last_alone, truth[-1]),
        }

    def _nothing_before(self) -> dict[str, np.ndarray]:
        zeros = np.zeros((1, *self._memory), np.float32)
        return {"past_slots": zeros, "past_cell": zeros}

    def _sequence(self, sample: Sample, index: int) -> FrameSequence:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(index)
            return drifting(collate([sample]), self._drift)

    def of_several_things(self, images: int) -> list[int]:
        """Rows of pictures with two or more objects; only these can be separated wrongly.

        The pictures examined are spread over the set, as those of one scene are adjacent.
        """
        looked_at = spread(len(self._cache), images)
        found = [i for i in looked_at if np.unique(self._cache[i].instances).size > 2]
        if not found:
            raise ConfigError(
                f"{self._cache.source.root}: no picture with two or more objects among "
                f"{len(looked_at)}: the foreground's Rand index is meaningless for fewer"
            )
        return found

    def _first_frames(self, cache: SampleCache, count: int) -> Iterator[dict[str, np.ndarray]]:
        for index in range(min(count, len(cache))):
            sample = cache[index]
            depth_m = _depth_m(sample)[None, None]
            yield {"rgb": sample.rgb[None], "depth_m": depth_m} | self._nothing_before()


class _Watcher:
    """A model that sees frame after frame; `state` is its carried state."""

    def __init__(
        self,
        predict: Predictor,
        nothing_before: Callable[[], dict[str, np.ndarray]],
        size: tuple[int, ...],
    ) -> None:
        self._predict, self._size = predict, size
        self.state = nothing_before()

    def slot_map(
        self, rgb: UInt8[np.ndarray, "h w 3"], depth_m: Float32[np.ndarray, "1 h w"]
    ) -> np.ndarray:
        """The slot of each pixel at a quarter of the size."""
        found = self._predict({"rgb": rgb[None], "depth_m": depth_m[None], **self.state})
        self.state = {"past_slots": found["slots"], "past_cell": found["cell"]}
        return found["slot_masks"][0].argmax(axis=0)


def open_masks_set(folder: str, size: Size, *, cache_dir: str) -> SampleCache:
    """A set with masks, at a size; raises `ConfigError` if there is none or it has no masks."""
    return samples_of(
        load_masks_set(folder),
        folder,
        width_px=size.width_px,
        height_px=size.height_px,
        cache_dir=cache_dir,
    )


def load_masks_set(folder: str) -> DetectionSet:
    """A set with masks, its pictures not yet decoded; raises `ConfigError` as `open_masks_set`."""
    if not folder:
        raise ConfigError("no folder of a set: expected one, such as options.train_set=data/train")
    source = load_detection_set(folder)
    if not any(any(image.segmentation) for image in source.images):
        raise ConfigError(f"{folder} has no masks: expected `segmentation` of its annotations")
    return source


def _depth_m(sample: Sample) -> Float32[np.ndarray, "h w"]:
    return sample.depth_mm.astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)


def _ari(found: np.ndarray, truth: np.ndarray) -> float:
    """Over the pixels that show objects."""
    shown = truth > 0
    return adjusted_rand_index(found[shown], truth[shown])
