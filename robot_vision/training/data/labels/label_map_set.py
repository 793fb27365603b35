"""Pictures with a class for each pixel, from label PNGs or from objects with masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief
from robot_vision.training.data.caches.picture_cache import Decoded, Picture, file_stamp
from robot_vision.training.data.labels.label_maps import BACKGROUND, annotated_label_map
from robot_vision.training.data.labels.labelled import (
    IGNORED,
    Annotated,
    DetectionSet,
    Masked,
    SegmentationSet,
)
from robot_vision.training.data.labels.masks import read_mask
from robot_vision.training.data.labels.names import in_words
from robot_vision.training.data.opening.open_set import open_set
from robot_vision.training.data.samples.samples import read_named

_NO_BOXES = np.zeros((0, 4), np.float32)
_NO_CLASSES = np.zeros(0, np.int64)


class _OfObjects(Picture):
    """An image with objects that have masks. Crops of it are around its objects."""

    def __init__(self, image: Annotated) -> None:
        self._image = image
        self.width_px, self.height_px = image.width_px, image.height_px
        self.boxes_xyxy_px, self.class_id = image.box_xyxy_px, image.class_id

    def decode(self) -> Decoded:
        file = self._image.rgb_file
        rgb = read_named(file, lambda name: read_image(name, cv2.IMREAD_COLOR_RGB))
        try:
            labels = annotated_label_map(self._image)
        except ConfigError as error:
            raise ConfigError(f"the labels of {file}: {error}") from error
        return _checked(rgb, labels, self._image)

    def fingerprint(self) -> str:
        image = self._image
        hidden = image.crowd_xyxy_px.tolist()
        return f"{file_stamp(image.rgb_file)} {image.class_id} {image.segmentation!r} {hidden}"


class _OfLabels(Picture):
    """An image and its label PNG."""

    def __init__(self, image: Masked, class_names: Sequence[str]) -> None:
        self._image, self._class_names = image, class_names
        self.width_px, self.height_px = image.width_px, image.height_px
        self.boxes_xyxy_px, self.class_id = _NO_BOXES, _NO_CLASSES

    def decode(self) -> Decoded:
        image = self._image
        rgb = read_named(image.rgb_file, lambda name: read_image(name, cv2.IMREAD_COLOR_RGB))
        labels = read_named(image.mask_file, read_mask)
        unknown = np.unique(labels[(labels >= len(self._class_names)) & (labels != IGNORED)])
        if len(unknown):
            raise ConfigError(
                f"{image.mask_file} holds the class ids {brief(unknown.tolist())}; expected 0 to "
                f"{len(self._class_names) - 1}, the rows of {in_words(self._class_names)}, or "
                f"{IGNORED} for pixels to ignore"
            )
        return _checked(rgb, labels.astype(np.uint8), image)

    def shown(self) -> frozenset[int]:
        labels = read_named(self._image.mask_file, read_mask)
        return frozenset(np.unique(labels).tolist()) - {IGNORED}

    def fingerprint(self) -> str:
        return f"{file_stamp(self._image.rgb_file)} {file_stamp(self._image.mask_file)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMapSet:
    """Pictures with label maps. `class_names` are the rows that labels refer to, including the
    background's if there is one."""

    folder: str
    class_names: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def of(self, rows: Sequence[int]) -> "LabelMapSet":
        """Some of the pictures."""
        pictures = tuple(self.pictures[row] for row in rows)
        return LabelMapSet(folder=self.folder, class_names=self.class_names, pictures=pictures)


def open_label_maps(folder: str) -> LabelMapSet:
    """A set of label PNGs, or one of objects with masks, whose background is row 0.

    Raises `ConfigError` if the folder is not such a set, lacks masks, or has only one class.
    """
    if not folder:
        raise ConfigError("no folder of a set: expected one, such as options.train_set=data/train")
    opened = open_set(folder)
    if isinstance(opened, DetectionSet):
        names, pictures = _of_objects(opened, folder)
    elif isinstance(opened, SegmentationSet):
        names = opened.class_names
        pictures = tuple(_OfLabels(image, names) for image in opened.images)
    else:
        raise ConfigError(
            f"{folder} is a set with one class per image; expected label PNGs (images/ with "
            "labels/ or masks/), or objects with masks (COCO)"
        )
    if not 2 <= len(names) <= IGNORED:
        raise ConfigError(
            f"{folder} has {len(names)} classes: {in_words(names)}; expected 2 to {IGNORED}. For "
            f"a single foreground class, name everything else {BACKGROUND!r}, as row 0"
        )
    return LabelMapSet(folder=folder, class_names=names, pictures=pictures)


def _of_objects(opened: DetectionSet, folder: str) -> tuple[tuple[str, ...], tuple[Picture, ...]]:
    for image in opened.images:
        if not all(image.segmentation):
            raise ConfigError(
                f"{folder}: objects in {image.rgb_file.name} have boxes without masks; expected "
                "`segmentation` in each annotation of annotations.json"
            )
    if BACKGROUND in opened.class_names:
        raise ConfigError(
            f"{folder} has a class {BACKGROUND!r}: that name is reserved for pixels in no mask"
        )
    pictures = tuple(_OfObjects(image) for image in opened.images)
    return (BACKGROUND, *opened.class_names), pictures


def _checked(rgb: np.ndarray, labels: np.ndarray, image: Annotated | Masked) -> Decoded:
    """Raise `ConfigError` if picture and labels differ in size."""
    if rgb.shape[:2] != labels.shape:
        raise ConfigError(
            f"{image.rgb_file} has {rgb.shape[1]} x {rgb.shape[0]} px, its labels "
            f"{labels.shape[1]} x {labels.shape[0]}: expected the same size"
        )
    return Decoded(rgb=rgb, labels=labels)
