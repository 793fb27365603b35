"""A labelled set for measuring a detector: classes matched by name, pictures fed as in service."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Int64, UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError
from robot_vision.export.measuring.picture_bundle import PictureModel
from robot_vision.model_store.store import Bundle
from robot_vision.perception.detect import Detector
from robot_vision.training.data.caches.open_samples import samples_of
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.labels.names import in_words
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.samples import SampleCache, read_named, to_input
from robot_vision.training.metrics.selected import SELECTION, FoundBoxes

_UNKNOWN = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedSet:
    """A set numbered as the model numbers its classes.

    `labelled` are the model's classes that the set labels; detections of others are dropped.
    `notes` say how the classes were matched, unless they are equal.
    """

    source: DetectionSet
    labelled: tuple[str, ...]
    notes: tuple[str, ...] = ()


def load_matched_set(held_out: str | Path, names: tuple[str, ...]) -> MatchedSet:
    """The set with its classes matched by name, in any order.

    Classes that the model lacks may be in the set's list as long as they have no objects. Raises
    `ConfigError` for objects of a class that the model does not know.
    """
    opened = load_detection_set(held_out)
    found = opened.class_names
    if found == names:
        return MatchedSet(source=opened, labelled=names)
    row_of = {name: row for row, name in enumerate(names)}
    model_id = np.array([row_of.get(name, _UNKNOWN) for name in found], np.int64)
    images = tuple(_renumbered(image, model_id) for image in opened.images)
    unknown = {found[row] for image in opened.images for row in _unknown_in(image, model_id)}
    if unknown or not (model_id >= 0).any():
        raise ConfigError(_unmatched(held_out, found, names, unknown))
    return MatchedSet(
        source=replace(opened, class_names=names, images=images),
        labelled=tuple(name for name in names if name in found),
        notes=_notes(found, names),
    )


def open_matched(held_out: str | Path, bundle: Bundle, *, cache_dir: Path) -> "MeasuredSet":
    """The samples of a set at the size of the bundle's input, kept in `cache_dir`."""
    manifest = bundle.manifest
    matched = load_matched_set(held_out, manifest.classes)
    samples = samples_of(
        matched.source,
        held_out,
        width_px=manifest.input.width_px,
        height_px=manifest.input.height_px,
        cache_dir=str(cache_dir),
    )
    return MeasuredSet(samples=samples, matched=matched)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredSet:
    """The samples of a matched set, in which boxes are compared and drawn."""

    samples: SampleCache
    matched: MatchedSet

    def boxes_found(self, bundle: Bundle, count: int) -> Iterator[FoundBoxes]:
        """Detections in the first `count` pictures, including lower-ranked classes.

        The model gets the picture itself, which it resizes as it does in the service.
        """
        only = SELECTION.model_copy(update={"classes": [*self.matched.labelled]})
        model, detector = PictureModel(bundle), Detector(bundle.manifest, only)
        for index in range(count):
            image = self.matched.source.images[index]
            found = detector.detections(model.run(read_rgb(image)), stamp_ns=0)
            placement = self.samples.placement(image)
            yield FoundBoxes(
                sample=self.samples[index],
                box_xyxy_px=to_input(found.box_xyxy_px, placement),
                score=found.score,
                class_id=found.class_id,
            )


def read_rgb(image: Annotated) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of an image of a set, in its own size; raises `ConfigError`."""
    return read_named(image.rgb_file, lambda file: read_image(file, cv2.IMREAD_COLOR_RGB))


def _unknown_in(image: Annotated, model_id: Int64[np.ndarray, " classes"]) -> list[int]:
    rows = image.class_id
    return [int(row) for row in np.unique(rows[model_id[rows] == _UNKNOWN])]


def _renumbered(image: Annotated, model_id: Int64[np.ndarray, " classes"]) -> Annotated:
    """Crowds of classes that the model lacks cannot hide any of its detections."""
    crowd = model_id[image.crowd_class_id]
    kept = crowd != _UNKNOWN
    return replace(
        image,
        class_id=model_id[image.class_id],
        crowd_xyxy_px=image.crowd_xyxy_px[kept],
        crowd_class_id=crowd[kept],
    )


def _notes(found: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    by_name = "the classes of set and model are matched by name"
    others = [name for name in names if name not in found]
    if not others:
        return (by_name,)
    return (f"{by_name}; not labelled in the set, so not counted: {in_words(others)}",)


def _unmatched(
    held_out: str | Path, found: Sequence[str], names: Sequence[str], unknown: set[str]
) -> str:
    which = [name for name in found if name in unknown] or found
    free = [name for name in names if name not in found]
    return (
        f"{held_out} has objects of classes that the model does not know: {in_words(which)}; "
        f"expected names of the model (without objects here: {in_words(free)}). If only the "
        "spelling differs, change `classes` in the bundle's model.yaml, or the set"
    )
