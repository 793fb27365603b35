"""Pictures of one class each: the images of a set, or crops around its objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Int64, UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.training.data.caches.picture_cache import Decoded, Picture, file_stamp
from robot_vision.training.data.labels.labelled import (
    Annotated,
    ClassificationSet,
    Classified,
    DetectionSet,
)
from robot_vision.training.data.labels.names import in_words
from robot_vision.training.data.opening.open_set import open_set
from robot_vision.training.data.samples.image_files import image_file_size_px
from robot_vision.training.data.samples.samples import PAD_VALUE, read_named


class CropOptions(Params):
    """How crops are cut around the objects of a set with boxes."""

    margin: float = param(
        0.15, "room at each side, as a part of the box's longer side", ge=0, le=1
    )
    min_px: int = param(16, "longer side of the smallest object", unit="px", ge=1, le=4096)
    min_visible: float = param(
        0.0, "smallest share of an object in view, if the set gives it", ge=0, le=1
    )


class Crop(Picture):
    """A square around an object, grey beyond the image, or a whole image; it has one class."""

    def __init__(
        self, image: Annotated | Classified, corners_px: tuple[int, int, int, int], class_id: int
    ) -> None:
        x0, y0, x1, y1 = corners_px
        self._image, self._corners_px = image, corners_px
        self.width_px, self.height_px = x1 - x0, y1 - y0
        self.boxes_xyxy_px = np.array([[0, 0, self.width_px, self.height_px]], np.float32)
        self.class_id = np.array([class_id], np.int64)

    @property
    def class_row(self) -> int:
        """The row of its class."""
        return int(self.class_id[0])

    @property
    def file(self) -> Path:
        """The picture that it is cut from."""
        return self._image.rgb_file

    @property
    def name(self) -> str:
        """The file's name, and where in it."""
        return f"{self._image.rgb_file.name} {self._corners_px[:2]}"

    def decode(self) -> Decoded:
        read = read_named(
            self._image.rgb_file, lambda file: read_image(file, cv2.IMREAD_COLOR_RGB)
        )
        return Decoded(rgb=_cut(read, self._corners_px))

    def fingerprint(self) -> str:
        return f"{file_stamp(self._image.rgb_file)} {self._corners_px}"


@dataclass(frozen=True, kw_only=True, eq=False)
class CropSet:
    """Pictures of one class each. `class_row` of a crop is the row of its class's name."""

    folder: str
    class_names: tuple[str, ...]
    crops: tuple[Crop, ...]

    def counts(self) -> tuple[int, ...]:
        """Crops of each class."""
        rows = [crop.class_row for crop in self.crops]
        return tuple(np.bincount(rows, minlength=len(self.class_names)).tolist())

    def of(self, rows: Sequence[int]) -> "CropSet":
        """Some of the crops."""
        crops = tuple(self.crops[row] for row in rows)
        return CropSet(folder=self.folder, class_names=self.class_names, crops=crops)


def picture_rows(crops: Sequence[Crop]) -> Int64[np.ndarray, " n"]:
    """For each crop, the number of its source picture, in order."""
    known: dict[Path, int] = {}
    return np.array([known.setdefault(crop.file, len(known)) for crop in crops], np.int64)


def open_crops(folder: str, options: CropOptions) -> CropSet:
    """The pictures of a set with one class per image, or the crops of a set with boxes.

    Raises `ConfigError` if the folder is not such a set, or has fewer than two classes.
    """
    if not folder:
        raise ConfigError("no folder of a set: expected one, such as options.train_set=data/train")
    opened = open_set(folder)
    if isinstance(opened, DetectionSet):
        crops = [crop for image in opened.images for crop in _crops_of(image, options)]
    elif isinstance(opened, ClassificationSet):
        crops = [_whole(image) for image in opened.images]
    else:
        raise ConfigError(
            f"{folder} is a set with label PNGs; expected one with a class per image (a folder "
            "per class), or with boxes (COCO, YOLO, Pascal VOC)"
        )
    if len(opened.class_names) < 2:
        raise ConfigError(
            f"{folder} has one class only: {in_words(opened.class_names)}; expected two or more "
            "to distinguish"
        )
    if not crops:
        raise ConfigError(
            f"{folder} has no object whose longer side has options.crop.min_px = "
            f"{options.min_px} px or more, and options.crop.min_visible = "
            f"{options.min_visible:g} or more of it in view"
        )
    return CropSet(folder=folder, class_names=opened.class_names, crops=tuple(crops))


def check_all_shown(known: CropSet, options: CropOptions) -> None:
    """Raise `ConfigError` if a class to learn has no picture."""
    counts = known.counts()
    unseen = [name for name, n in zip(known.class_names, counts, strict=True) if not n]
    if unseen:
        raise ConfigError(
            f"{known.folder}: no picture of {in_words(unseen)}, but pictures of "
            f"{len(counts) - len(unseen)} other classes; expected one or more of each. Take the "
            f"class out of the set, add pictures, or lower options.crop.min_px = {options.min_px}"
        )


def _crops_of(image: Annotated, options: CropOptions) -> list[Crop]:
    size_px = np.array((image.width_px, image.height_px) * 2, np.float32)
    boxes = zip(
        image.box_xyxy_px.clip(0, size_px),
        image.class_id.tolist(),
        image.visible_share.tolist(),
        strict=True,
    )
    return [
        Crop(image, square_px(box, options.margin), class_id)
        for box, class_id, visible in boxes
        if (box[2:] - box[:2]).max() >= options.min_px and visible >= options.min_visible
    ]


def square_px(box_xyxy_px: Float32[np.ndarray, "4"], margin: float) -> tuple[int, int, int, int]:
    """Corners of the square around a box, which may lie beyond the image."""
    middle = (box_xyxy_px[:2] + box_xyxy_px[2:]) / 2
    side = float((box_xyxy_px[2:] - box_xyxy_px[:2]).max()) * (1 + 2 * margin)
    x0, y0 = (round(float(place) - side / 2) for place in middle)
    length = max(1, round(side))
    return x0, y0, x0 + length, y0 + length


def _whole(image: Classified) -> Crop:
    width_px, height_px = image_file_size_px(image.rgb_file)
    return Crop(image, (0, 0, width_px, height_px), image.class_id)


def _cut(
    rgb: UInt8[np.ndarray, "h w 3"], corners_px: tuple[int, int, int, int]
) -> UInt8[np.ndarray, "hc wc 3"]:
    x0, y0, x1, y1 = corners_px
    cut = np.full((y1 - y0, x1 - x0, 3), PAD_VALUE, np.uint8)
    left, top = max(0, x0), max(0, y0)
    seen = rgb[top : max(top, y1), left : max(left, x1)]
    cut[top - y0 : top - y0 + seen.shape[0], left - x0 : left - x0 + seen.shape[1]] = seen
    return cut
