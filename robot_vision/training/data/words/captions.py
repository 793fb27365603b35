"""Pictures with captions: images of a set, and crops around its objects.

`captions` in a set's `annotations.json` follow COCO (`image_id`, `caption`). Those of
generated scenes say more: the object, what they name, and wrong variants.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import plain, quoted, read_json
from robot_vision.core.parameters.params import Params, param
from robot_vision.policies.language.vocabulary import split_words
from robot_vision.training.data.caches.crops import Crop, CropOptions, square_px
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.opening.open_set import load_detection_set, set_and_split
from robot_vision.training.data.sets.coco import ANNOTATIONS, MOST_ANNOTATION_BYTES

Look = tuple[str, str]  # a colour and the name of an object


class CaptionOptions(Params):
    """The choice of captioned pictures to learn from."""

    things_per_picture: int = param(
        0, "crops of single objects beside each picture, drawn by its id; 0: none", ge=0, le=100
    )
    crop: CropOptions = CropOptions(min_visible=0.5)
    left_out: list[list[str]] = param(
        [], "colours and objects, as [[red, mug]]: pictures that show one are left out of training"
    )

    def looks_left_out(self) -> frozenset[Look]:
        """Raises `ConfigError` for anything but pairs."""
        for pair in self.left_out:
            if len(pair) != 2:
                raise ConfigError(
                    f"left_out has {pair}: expected a colour and an object, as [red, mug]"
                )
        return frozenset((pair[0], pair[1]) for pair in self.left_out)


class Caption(BaseModel):
    """One caption of a set. Empty fields are unknown."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image_id: int
    caption: str = Field(max_length=2000)
    kind: str = Field(default="caption", max_length=60)
    annotation_id: int | None = None
    named: tuple[tuple[str, str, int], ...] = ()
    wrong_color: str = ""
    wrong_thing: str = ""

    @property
    def looks(self) -> frozenset[Look]:
        """The colours and objects that it names."""
        return frozenset((color, thing) for color, thing, _ in self.named)

    @property
    def meaning(self) -> str:
        """Equal for captions with the same meaning, if the set says so."""
        return repr(sorted(self.named)) if self.named else self.caption


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionedPicture:
    """A whole picture, or the crop around an object, and its captions."""

    crop: Crop
    captions: tuple[Caption, ...]
    is_thing: bool

    def of_kind(self, kind: str) -> Caption | None:
        """The first caption of a kind; None where there is none."""
        return next((caption for caption in self.captions if caption.kind == kind), None)


@dataclass(frozen=True, kw_only=True, eq=False)
class CaptionSet:
    """Captioned pictures; `looks` are the colours and objects shown in any of them."""

    folder: str
    pictures: tuple[CaptionedPicture, ...]
    looks: frozenset[Look] = field(default_factory=frozenset)

    @property
    def texts(self) -> list[str]:
        """All captions."""
        return [caption.caption for picture in self.pictures for caption in picture.captions]

    def check_differ(self) -> None:
        """Raise `ConfigError` unless captions have two different meanings or more."""
        meanings = {caption.meaning for each in self.pictures for caption in each.captions}
        if len(meanings) < 2:
            raise ConfigError(
                f"all captions of {self.folder} mean {quoted(self.texts[0])}; expected two "
                "different meanings or more, which distinguish pictures"
            )


def open_captions(folder: str, options: CaptionOptions) -> CaptionSet:
    """The captioned pictures of a COCO set, object crops after their picture.

    Raises `ConfigError` if it is not such a set, or has no caption that fits the options.
    """
    if not folder:
        raise ConfigError("no folder of a set: expected one, such as options.train_set=data/train")
    opened = load_detection_set(folder)
    file = set_and_split(folder)[0] / ANNOTATIONS
    left_out = options.looks_left_out()
    _check_known(left_out, opened, folder)
    try:
        content = read_json(file, most_bytes=MOST_ANNOTATION_BYTES)
        by_image = _captions_of(content.get("captions", []), file)
        objects, shown = _objects_of(content)
    except (ForeignFileError, ValidationError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"cannot read the captions of {file}: {quoted(repr(error))}") from error
    pictures: list[CaptionedPicture] = []
    looks: set[Look] = set()
    for image in opened.images:
        captions = by_image.get(image.image_id, ())
        of_image = shown.get(image.image_id, frozenset())
        if not captions or of_image & left_out:
            continue
        looks |= of_image
        pictures += _whole(image, captions)
        pictures += _things(image, captions, objects.get, options)
    if not pictures and left_out:
        raise ConfigError(f"{folder}: every captioned picture shows what left_out names")
    if not pictures:
        raise ConfigError(
            f"{folder} has no captions that fit: expected `captions` in {file}; generated scenes "
            f"get them by `robot-vision scenes captions {folder}`"
        )
    return CaptionSet(folder=folder, pictures=tuple(pictures), looks=frozenset(looks))


def _check_known(left_out: frozenset[Look], opened: DetectionSet, folder: str) -> None:
    """A misspelt look would leave nothing out."""
    for color, thing in sorted(left_out):
        for name, known in ((color, opened.color_names), (thing, opened.class_names)):
            if name not in known:
                raise ConfigError(
                    f"left_out has {name!r}, which {folder} does not show; it has "
                    f"{', '.join(known) or 'no colours'}"
                )


def _captions_of(rows: Sequence[Any], file: Path) -> dict[int, tuple[Caption, ...]]:
    """Raises `ConfigError` for a caption without a word: it would be taught as any picture's."""
    captions = [Caption.model_validate(row) for row in rows]
    captions = [c.model_copy(update={"caption": plain(c.caption)}) for c in captions]
    for number, caption in enumerate(captions):
        if not split_words(caption.caption):
            raise ConfigError(
                f"{file}: captions[{number}], of image_id {caption.image_id}, is "
                f"{quoted(caption.caption)}; expected a word or more: write one, or remove it"
            )
    ordered = sorted(captions, key=lambda caption: caption.image_id)
    return {key: tuple(same) for key, same in groupby(ordered, key=lambda c: c.image_id)}


def _objects_of(content: Any) -> tuple[dict[int, Any], dict[int, frozenset[Look]]]:
    """Annotations by id, and the looks in each image, including hardly visible ones."""
    names = {category["id"]: category["name"] for category in content["categories"]}
    shown: dict[int, set[Look]] = {}
    for annotation in content["annotations"]:
        if annotation.get("color"):
            look = (str(annotation["color"]), str(names.get(annotation["category_id"])))
            shown.setdefault(annotation["image_id"], set()).add(look)
    by_id = {annotation["id"]: annotation for annotation in content["annotations"]}
    return by_id, {image_id: frozenset(looks) for image_id, looks in shown.items()}


def _whole(image: Annotated, captions: tuple[Caption, ...]) -> list[CaptionedPicture]:
    of_picture = tuple(c for c in captions if c.annotation_id is None)
    if not of_picture:
        return []
    crop = Crop(image, (0, 0, image.width_px, image.height_px), 0)
    return [CaptionedPicture(crop=crop, captions=of_picture, is_thing=False)]


def _things(
    image: Annotated,
    captions: tuple[Caption, ...],
    object_of: Callable[[int], Any],
    options: CaptionOptions,
) -> list[CaptionedPicture]:
    """Crops of some of the objects that have captions."""
    found: list[CaptionedPicture] = []
    of_things = [c for c in captions if c.annotation_id is not None]
    order = np.random.default_rng(abs(image.image_id)).permutation(len(of_things))
    for row in order:
        if len(found) >= options.things_per_picture:
            break
        caption = of_things[int(row)]
        assert caption.annotation_id is not None
        shown = object_of(caption.annotation_id)
        if shown is None:
            continue
        left, top, width, height = shown["bbox"]
        visible = float(shown.get("visible_share", 1.0))
        if max(width, height) < options.crop.min_px or visible < options.crop.min_visible:
            continue
        box = np.array([left, top, left + width, top + height], np.float32)
        crop = Crop(image, square_px(box, options.crop.margin), 0)
        found.append(CaptionedPicture(crop=crop, captions=(caption,), is_thing=True))
    return found
