"""Metrics of a segmentation bundle on a held-out set, as the service runs it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.files.figures import write_figures
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.export.measuring.picture_bundle import Measured, PictureModel
from robot_vision.formats.semantic import decode_semantic
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.picture_cache import Picture, spread
from robot_vision.training.data.held_out.classification import check_same_classes
from robot_vision.training.data.labels.label_map_set import open_label_maps
from robot_vision.training.data.labels.label_maps import BACKGROUND
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.segmentation import SegmentationCounts, at_cells
from robot_vision.training.metrics.tiles import captioned, painted, write_tiles

_TILE_WIDTH_PX, _TILE_HEIGHT_PX = 240, 180
_COLUMNS = 2
_NAMED = 3  # classes in a caption

_Labels = UInt8[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """One picture's answer and truth, on the answer's grid."""

    picture: Picture
    answer: _Labels
    truth: _Labels
    counts: SegmentationCounts

    @property
    def miou(self) -> float:
        return self.counts.summary()["miou"]


def measure_segmentation(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    """Mean IoU, IoU by class, and boundary F1 on `images` (0: all) spread over a set.

    Writes `metrics.json` and `gallery.png`: the `worst` pictures by mIoU, with truth and answer.
    Raises `ConfigError` if the set has other classes.
    """
    names = rows_of(bundle.manifest)
    opened = open_label_maps(str(held_out))
    check_same_classes(str(held_out), opened.class_names, names)
    model, total = PictureModel(bundle), SegmentationCounts(names)
    judged = []
    for row in spread(len(opened.pictures), images):
        one = judge_picture(model, opened.pictures[row], names)
        total.add(one.answer, one.truth)
        judged.append(one)
    figures = total.summary() | bounds(total.resampled())
    metrics = {name: round(value, 4) for name, value in figures.items()}
    write_figures(out / "metrics.json", metrics)
    judged.sort(key=lambda one: one.miou)
    tiles = [truth_beside_answer(one, names) for one in judged[:worst]]
    write_tiles(out / "gallery.png", tiles, columns=min(_COLUMNS, len(tiles)))
    return Measured(metrics=metrics, notes=(), files=("metrics.json", "gallery.png"))


def rows_of(manifest: ModelManifest) -> tuple[str, ...]:
    """Names of the rows in a bundle's label maps, the background first."""
    has_background = manifest.reading.background != "none"
    return (BACKGROUND, *manifest.classes) if has_background else manifest.classes


def judge_picture(model: PictureModel, picture: Picture, names: tuple[str, ...]) -> Judged:
    """A model's answer to a picture beside the truth."""
    decoded = picture.decode()
    assert decoded.labels is not None
    run = model.run(decoded.rgb)
    found = decode_semantic(run.outputs, run.manifest, stamp_ns=0, placement=run.placement)
    # −1 is not a class: the background's row, or one that no truth has.
    first = int(run.manifest.reading.background != "none")
    answer = (found.class_id + first).astype(np.uint8)
    truth = at_cells(decoded.labels, rows=answer.shape[0], columns=answer.shape[1])
    counts = SegmentationCounts(names)
    counts.add(answer, truth)
    return Judged(picture=picture, answer=answer, truth=truth, counts=counts)


def truth_beside_answer(one: Judged, names: tuple[str, ...]) -> UInt8[np.ndarray, "h w 3"]:
    """Truth beside answer, each with the names of its classes."""
    size = (_TILE_WIDTH_PX, _TILE_HEIGHT_PX)
    picture = cv2.resize(one.picture.decode().rgb, size)
    halves = []
    for what, labels in (("truth", one.truth), ("answer", one.answer)):
        drawn = painted(picture, labels, names)
        rows, cells = np.unique(labels, return_counts=True)
        order = rows[np.argsort(-cells)]
        shown = [names[r] for r in order if r < len(names) and names[r] != BACKGROUND][:_NAMED]
        halves.append(captioned(drawn, (f"{what}: {', '.join(shown)}", f"mIoU {one.miou:.2f}")))
    return np.hstack(halves)
