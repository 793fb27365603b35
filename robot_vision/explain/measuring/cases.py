"""Held-out pictures with the true mask of the object in question."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.errors import ConfigError
from robot_vision.explain.asking import ask
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.question import Question
from robot_vision.explain.targets import BoxTarget
from robot_vision.training.data.caches.crops import CropOptions, square_px
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.labels.masks import instance_map
from robot_vision.training.data.opening.open_set import open_set
from robot_vision.training.data.samples.samples import PAD_VALUE, read_named

_LEAST_IOU = 0.5
LEAST_PX = 24  # of an object's longer side: smaller objects cannot be located in a map
_CROPS = CropOptions(min_visible=0.7)


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A picture, a question about it, and the true mask of the object."""

    rgb: UInt8[np.ndarray, "h w 3"]
    mask: Bool[np.ndarray, "h w"]
    question: Question


def cases(subject: Subject, folder: str, *, count: int) -> Iterator[Case]:
    """About `count` cases spread over a set with masks, where the model's answer is right.

    Crops around objects for a classifier, objects in whole pictures for a detector, and whole
    pictures with all their objects for models without classes. Raises `ConfigError` if the set
    has no masks.
    """
    opened = open_set(folder)
    if not isinstance(opened, DetectionSet):
        raise ConfigError(
            f"{folder} is not a set with boxes and masks, as `scenes generate` writes"
        )
    masked = [image for image in opened.images if any(image.segmentation)]
    if not masked:
        raise ConfigError(f"{folder} has no masks (`segmentation`) to compare maps with")
    with torch.no_grad():
        roles = set(subject.run(subject.prepared(np.zeros((64, 64, 3), np.uint8))[0]))
    if any(role.startswith("boxes") for role in roles):
        return _objects(subject, masked, opened.class_names, count)
    if "output" in roles and len(subject.classes) > 1:
        return _crops(subject, masked, opened.class_names, count)
    return _whole(subject, masked, count)


def _read(image: Annotated) -> UInt8[np.ndarray, "h w 3"]:
    return read_named(image.rgb_file, lambda file: read_image(file, cv2.IMREAD_COLOR_RGB))


def _crops(
    subject: Subject, images: list[Annotated], names: tuple[str, ...], count: int
) -> Iterator[Case]:
    wanted = [
        (image, row)
        for image in images
        for row in range(len(image.class_id))
        if image.segmentation[row] and _is_large(image, row)
    ]
    for number in spread(len(wanted), count):
        image, row = wanted[number]
        x0, y0, x1, y1 = square_px(image.box_xyxy_px[row], _CROPS.margin)
        size = (y1 - y0, x1 - x0)
        rgb = np.full((*size, 3), PAD_VALUE, np.uint8)
        mask = np.zeros(size, bool)
        rows, columns = slice(max(0, y0), y1), slice(max(0, x0), x1)
        seen, truth = _read(image)[rows, columns], instance_map(image)[rows, columns] == row + 1
        window = np.s_[
            max(0, -y0) : max(0, -y0) + seen.shape[0], max(0, -x0) : max(0, -x0) + seen.shape[1]
        ]
        rgb[window], mask[window] = seen, truth
        question = ask(subject, rgb, "class")
        if mask.any() and question.target.words == names[image.class_id[row]]:
            yield Case(rgb=rgb, mask=mask, question=question)


def _is_large(image: Annotated, row: int) -> bool:
    x0, y0, x1, y1 = image.box_xyxy_px[row]
    return bool(
        max(x1 - x0, y1 - y0) >= LEAST_PX and image.visible_share[row] >= _CROPS.min_visible
    )


def _objects(
    subject: Subject, images: list[Annotated], names: tuple[str, ...], count: int
) -> Iterator[Case]:
    for number in spread(len(images), count):
        image = images[number]
        rgb, truth = _read(image), instance_map(image)
        try:
            found = ask(subject, rgb, "box")
        except ExplainError:  # nothing is found
            continue
        row = _match(found, image, names)
        if row is not None and (truth == row + 1).any():
            yield Case(rgb=rgb, mask=truth == row + 1, question=found)


def _match(question: Question, image: Annotated, names: tuple[str, ...]) -> int | None:
    """The true object under the most confident box; None if none has its class."""
    target = question.target
    assert isinstance(target, BoxTarget)
    box = np.array([target.box_xyxy_px], np.float32)
    view = question.placement.boxes_in_view(box)
    overlaps = pairwise_iou(view, image.box_xyxy_px)[0]
    classes = question.subject.classes
    if not len(overlaps):
        return None
    best = int(overlaps.argmax())
    is_same = names[image.class_id[best]] == classes[target.column]
    return best if overlaps[best] >= _LEAST_IOU and is_same else None


def _whole(subject: Subject, images: list[Annotated], count: int) -> Iterator[Case]:
    for number in spread(len(images), count):
        rgb, truth = _read(images[number]), instance_map(images[number]) > 0
        if truth.any():
            yield Case(rgb=rgb, mask=truth, question=ask(subject, rgb, "embedding"))
