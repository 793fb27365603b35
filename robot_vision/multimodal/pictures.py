"""Pictures for models: of a set with ground truth, or of a folder without."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import inside, quoted, read_json
from robot_vision.simulation.writing.captions import CLEAR_PX, CLEAR_SHARE

ANNOTATIONS = "annotations.json"
_MOST_BYTES = 2**30
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, kw_only=True)
class Thing:
    """An object in a picture. A model may mention an unclear one or not.

    `color` is empty if the set gives none.
    """

    name: str
    color: str
    area_px: float
    box_xyxy_px: tuple[float, float, float, float]
    is_clear: bool


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A picture's objects, the largest first; `names` and `colors` are those of the whole set."""

    things: tuple[Thing, ...]
    names: tuple[str, ...]
    colors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture's file. `truth` is None if its content is unknown."""

    name: str
    file: Path
    truth: Truth | None

    def rgb(self) -> UInt8[np.ndarray, "h w 3"]:
        """Its pixels; raises `EncodingError`."""
        return np.ascontiguousarray(read_image(self.file, cv2.IMREAD_COLOR)[..., ::-1])


def open_pictures(source: Path, *, count: int, images: Path | None = None) -> list[Picture]:
    """The first `count` pictures, by name: of a set, of COCO annotations, of a folder.

    `images` is the folder of the annotated files, if not beside them. Raises `ConfigError` if
    there are none.
    """
    source = Path(source)
    annotations = source / ANNOTATIONS if source.is_dir() else source
    if annotations.is_file():
        found = _of_set(annotations, images or annotations.parent, count)
    else:
        files = sorted(file for file in source.glob("*") if file.suffix.lower() in _ENDINGS)
        found = [Picture(name=file.name, file=file, truth=None) for file in files[:count]]
    if not found:
        raise ConfigError(
            f"{source} has no pictures: expected a set of `robot-vision scenes generate`, a file "
            f"of COCO annotations, or a folder of {', '.join(_ENDINGS)}"
        )
    return found


def _of_set(annotations: Path, images: Path, count: int) -> list[Picture]:
    content = read_json(annotations, most_bytes=_MOST_BYTES)
    try:
        return _pictures_of(content, images, count)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ForeignFileError):
            raise
        raise ConfigError(
            f"cannot read {annotations}: {quoted(repr(error))}; expected COCO annotations, with "
            "bbox, category_id and area"
        ) from error


def _pictures_of(content: Any, images: Path, count: int) -> list[Picture]:
    names = {category["id"]: str(category["name"]) for category in content["categories"]}
    colors = tuple(map(str, content.get("info", {}).get("colors", ())))
    chosen = sorted(content["images"], key=lambda image: image["file_name"])[:count]
    by_image: dict[Any, list[Thing]] = {image["id"]: [] for image in chosen}
    for annotation in content["annotations"]:
        if annotation["image_id"] in by_image:
            thing = _thing(annotation, names[annotation["category_id"]])
            by_image[annotation["image_id"]].append(thing)
    return [
        Picture(
            name=str(image["file_name"]),
            file=inside(images, str(image["file_name"])),
            truth=Truth(
                things=_largest_first(by_image[image["id"]]),
                names=tuple(names.values()),
                colors=colors,
            ),
        )
        for image in chosen
    ]


def _thing(annotation: Any, name: str) -> Thing:
    left, top, width, height = map(float, annotation["bbox"])
    area_px = float(annotation["area"])
    return Thing(
        name=name,
        color=str(annotation.get("color", "")),
        area_px=area_px,
        box_xyxy_px=(left, top, left + width, top + height),
        is_clear=not annotation.get("iscrowd", 0)
        and area_px >= CLEAR_PX
        and float(annotation.get("visible_share", 1.0)) >= CLEAR_SHARE,
    )


def _largest_first(things: Sequence[Thing]) -> tuple[Thing, ...]:
    return tuple(sorted(things, key=lambda thing: -thing.area_px))
