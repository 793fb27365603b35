"""Evidence from a classifier's or a segmentation model's answers to the pictures.

A class matches an object in a picture if its name contains the object's name, as a word or
words: an `Egyptian cat` is a cat.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from robot_vision.core.types import Classification, SemanticMap
from robot_vision.importing.reading.class_names import same_name
from robot_vision.importing.trying.evidence import Evidence
from robot_vision.importing.trying.pictures import Picture

_MOST_SHARES = 5  # classes of a map to compare with those of another reading
_WELL_COVERED = 0.3  # of a box, by the object in it
_FOUND = 0.2
_ALL_OF_IT = 0.95  # a box this large does not locate its object


class SeenClasses(NamedTuple):
    """The classes of a picture, and why they are impossible, or empty."""

    picture: Picture
    found: Classification
    fault: str


class SeenMap(NamedTuple):
    """The classes of a picture's pixels, and why they are impossible, or empty."""

    picture: Picture
    found: SemanticMap
    fault: str


def judge_classes(seen: Sequence[SeenClasses], classes: Sequence[str]) -> Evidence:
    """`quality`: the probability of the classes that match a picture, less the one they have
    in pictures that they do not match: the same answer for every picture is worth nothing.
    """
    called = [_called_at_all(picture, classes) for picture, _, _ in seen]
    probability = np.zeros((len(seen), len(classes)))
    rows, quality, kinds, found = [], [], set[int](), 0
    for row, (picture, said, _) in enumerate(seen):
        probability[row, said.class_id] = said.probability
        rows.append([*_whole(picture), float(said.probability[0]), int(said.class_id[0])])
    for row, mine in enumerate(called):
        if not mine.any():
            continue
        others = [k for k, theirs in enumerate(called) if not (mine & theirs).any()]
        usual = probability[others][:, mine].sum(axis=1).mean() if others else mine.mean()
        quality.append(_beyond_chance(float(probability[row, mine].sum()), float(usual)))
        best = int(seen[row].found.class_id[0])
        if mine[best]:
            found += 1
            kinds.add(best)
    return _evidence(quality, rows, found=found, kinds=len(kinds), fault=_first_fault(seen))


def judge_maps(seen: Sequence[SeenMap], classes: Sequence[str]) -> Evidence:
    """`quality`: how much of an object's class lies in the object's box, less chance."""
    quality, supports, kinds, rows = [], [], set[int](), []
    for picture, said, _ in seen:
        rows += _largest_shares(picture, said)
        of_picture = []
        for box, names in zip(picture.box_xyxy_px, picture.names, strict=True):
            called = _called_in(names, classes)
            inside = _inside(picture, box, said.class_id.shape)
            if not called.any() or inside.mean() > _ALL_OF_IT:
                continue
            shown = np.isin(said.class_id, np.flatnonzero(called))
            of_picture.append(_support(shown, inside))
            if of_picture[-1] >= _FOUND:
                kinds.add(int(np.bincount(said.class_id[shown & inside]).argmax()))
        if of_picture:
            quality.append(float(np.mean(of_picture)))
            supports += of_picture
    found = int(np.count_nonzero(np.array(supports) >= _FOUND))
    return _evidence(
        quality, rows, found=found, kinds=len(kinds), fault=_first_fault(seen), drawn=len(supports)
    )


def _evidence(
    quality: Sequence[float],
    rows: Sequence[Sequence[float]],
    *,
    found: int,
    kinds: int,
    fault: str,
    drawn: int | None = None,
) -> Evidence:
    """There are no boxes to check: all count as plausible."""
    return Evidence(
        quality=np.array(quality, float),
        named=bool(quality),
        kinds=kinds,
        found=found,
        drawn=len(quality) if drawn is None else drawn,
        sound=1.0,
        fault=fault,
        detections=np.array(rows, np.float32).reshape(-1, 6),
    )


def _called_at_all(picture: Picture, classes: Sequence[str]) -> Bool[np.ndarray, " c"]:
    """Classes that match something in the picture."""
    called = [_called_in(names, classes) for names in picture.names]
    return np.any([np.zeros(len(classes), bool), *called], axis=0)


def _called_in(names: Sequence[str], classes: Sequence[str]) -> Bool[np.ndarray, " c"]:
    """Classes whose name is one of these, or contains one."""
    words = [re.compile(rf"\b{re.escape(name)}\b", re.IGNORECASE) for name in names]
    return np.array(
        [
            any(w.search(other) for w in words) or any(same_name(n, other) for n in names)
            for other in classes
        ],
        bool,
    )


def _support(shown: Bool[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"]) -> float:
    """How well the pixels of a class match a box: 0 by chance, 1 at best."""
    if not shown.any() or not inside.any():
        return 0.0
    both = float(np.count_nonzero(shown & inside))
    precision = _beyond_chance(both / np.count_nonzero(shown), float(inside.mean()))
    return precision * min(both / np.count_nonzero(inside) / _WELL_COVERED, 1.0)


def _inside(
    picture: Picture, box_xyxy_px: Float32[np.ndarray, "4"], shape: tuple[int, ...]
) -> Bool[np.ndarray, "h w"]:
    """The cells of a grid over the picture whose centre lies in the box."""
    height_px, width_px = picture.rgb.shape[:2]
    left, top, right, bottom = box_xyxy_px
    y_px = (np.arange(shape[0])[:, None] + 0.5) * height_px / shape[0]
    x_px = (np.arange(shape[1])[None] + 0.5) * width_px / shape[1]
    return (left <= x_px) & (x_px < right) & (top <= y_px) & (y_px < bottom)


def _largest_shares(picture: Picture, found: SemanticMap) -> list[list[float]]:
    """Share and number of the classes that cover most of the picture, including no class."""
    count = np.bincount(found.class_id.ravel() + 1)
    largest = np.argsort(-count, kind="stable")[:_MOST_SHARES]
    return [
        [*_whole(picture), float(count[row]) / found.class_id.size, float(row) - 1]
        for row in largest
        if count[row]
    ]


def _whole(picture: Picture) -> Float[np.ndarray, "4"]:
    return np.array((0, 0, *picture.rgb.shape[1::-1]), float)


def _beyond_chance(share: float, chance: float) -> float:
    return max((share - chance) / (1 - chance), 0.0) if chance < 1 else 0.0


def _first_fault(seen: Sequence[SeenClasses] | Sequence[SeenMap]) -> str:
    return next((one.fault for one in seen if one.fault), "")
