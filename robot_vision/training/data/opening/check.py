"""The faults of a set, worst first: `robot-vision data check`."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.training.data.labels.labelled import (
    IGNORED,
    Annotated,
    ClassificationSet,
    DetectionSet,
    LabelledSet,
)
from robot_vision.training.data.labels.masks import decode_segmentation, read_mask
from robot_vision.training.data.opening.faults import Fault, Faults, Finding
from robot_vision.training.data.opening.open_set import (
    AUTO,
    kind_of,
    read_set,
    set_and_split,
    splits_of,
)
from robot_vision.training.data.samples.image_files import read_depth

BEYOND_PX = 1.0  # rounding, by tools that write boxes
RARE = 100
MOST_TIMES_AS_LARGE = 10
# Training images must not be in the evaluation; other parts, such as trainval, may overlap.
_APART = ("train", "val", "valid", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedSet:
    """A set, its faults, and the classes in each of its images."""

    kind: str
    opened: LabelledSet
    findings: tuple[Finding, ...]
    shown: tuple[frozenset[int], ...]


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """One decoded image file: a digest of its pixels and its size, or why it has none."""

    digest: bytes = b""
    size_px: tuple[int, int] = (0, 0)
    error: str = ""


def check_set(folder: str | Path, kind: str = AUTO, *, images: int = 0) -> CheckedSet:
    """Read a set, or `folder@part`, and check its images, or `images` of them, evenly spread.

    Raises `ConfigError` if nothing can be read.
    """
    root, split = set_and_split(folder)
    kind = kind_of(root, kind)
    faults = Faults(root, strict=False)
    splits = splits_of(root, kind, split)
    opened = read_set(root, kind, split, faults)
    parts = {
        name: frozenset(image.rgb_file for image in read_set(root, kind, name, faults).images)
        for name in (() if split else splits)
    }
    shown = _classes_shown(opened, faults)
    counts = _counts(opened, shown)
    _check_names(opened.class_names, faults)
    _check_counts(opened.class_names, counts, faults)
    if isinstance(opened, DetectionSet):
        for image in opened.images:
            _check_boxes(image, faults)
            _check_masks(image, faults)
        rows = _spread(len(opened.images), images)
        _check_depth([opened.images[row] for row in rows], faults)
    _check_files(opened, _spread(len(opened.images), images), parts, faults)
    return CheckedSet(kind=kind, opened=opened, findings=faults.findings, shown=shown)


def _classes_shown(opened: LabelledSet, faults: Faults) -> tuple[frozenset[int], ...]:
    if isinstance(opened, ClassificationSet):
        return tuple(frozenset((image.class_id,)) for image in opened.images)
    if isinstance(opened, DetectionSet):
        return tuple(frozenset(image.class_id.tolist()) for image in opened.images)
    files = [image.mask_file for image in opened.images]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(_ids_of, files))
    for file, ids in zip(files, found, strict=True):
        if isinstance(ids, str):
            faults.add(Fault.LABELS_UNREADABLE, file, ids)
        elif nameless := sorted(i for i in ids if i >= len(opened.class_names)):
            faults.add(Fault.CLASS_WITHOUT_NAME, file, f"{nameless[:10]}")
    known = range(len(opened.class_names))
    return tuple(
        frozenset() if isinstance(ids, str) else frozenset(i for i in ids if i in known)
        for ids in found
    )


def _ids_of(mask_file: Path) -> frozenset[int] | str:
    """Class ids of a mask, or why it cannot be read."""
    try:
        return frozenset(np.unique(read_mask(mask_file)).tolist()) - {IGNORED}
    except EncodingError as error:
        return str(error)


def _counts(opened: LabelledSet, shown: Iterable[frozenset[int]]) -> Counter[int]:
    """Examples of each class: objects, else images that show it."""
    if isinstance(opened, DetectionSet):
        return Counter(int(row) for image in opened.images for row in image.class_id)
    return Counter(row for rows in shown for row in rows)


def _check_names(class_names: Sequence[str], faults: Faults) -> None:
    for name, count in Counter(class_names).items():
        if count > 1:
            faults.add(Fault.NAME_TWICE, name, f"{count} classes")
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(class_names):
        alike.setdefault("".join(c for c in name.casefold() if c.isalnum()), []).append(name)
    for letters, names in alike.items():
        if letters and len(names) > 1:
            faults.add(Fault.NAME_ALIKE, ", ".join(repr(name) for name in names))


def _check_counts(class_names: Sequence[str], counts: Counter[int], faults: Faults) -> None:
    most = max(counts.values(), default=0)
    largest = class_names[counts.most_common(1)[0][0]] if most else ""
    for row, name in enumerate(class_names):
        if not counts[row]:
            faults.add(Fault.CLASS_EMPTY, name)
        elif counts[row] * RARE <= most:
            faults.add(Fault.CLASS_RARE, name, f"{counts[row]}, but {most} of {largest}")


def _check_boxes(image: Annotated, faults: Faults) -> None:
    seen = set[tuple[float, ...]]()
    limit = np.array([image.width_px, image.height_px] * 2, np.float32)
    boxes = np.concatenate([image.box_xyxy_px, image.crowd_xyxy_px])
    classes = np.concatenate([image.class_id, image.crowd_class_id])
    for number, (box, class_id) in enumerate(zip(boxes, classes, strict=True), start=1):
        where = f"box {number}: {' '.join(f'{v:g}' for v in box.round(1).tolist())}"
        if (box[2:] <= box[:2]).any():
            faults.add(Fault.BOX_WITHOUT_AREA, image.rgb_file, where)
        if (box < -BEYOND_PX).any() or (box > limit + BEYOND_PX).any():
            size = f"{image.width_px}×{image.height_px} px"
            faults.add(Fault.BOX_BEYOND, image.rgb_file, f"{where} in {size}")
        key = (float(class_id), *box.tolist())
        if key in seen:
            faults.add(Fault.BOX_TWICE, image.rgb_file, where)
        seen.add(key)


def _check_masks(image: Annotated, faults: Faults) -> None:
    size = (image.height_px, image.width_px)
    for number, segmentation in enumerate(image.segmentation, start=1):
        try:
            if segmentation:
                decode_segmentation(segmentation, size)
        except ConfigError as error:
            faults.add(Fault.LABELS_UNREADABLE, image.rgb_file, f"mask {number}: {error}")


def _check_files(
    opened: LabelledSet, rows: Sequence[int], parts: Mapping[str, frozenset[Path]], faults: Faults
) -> None:
    images = [opened.images[row] for row in rows]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        looked = list(pool.map(_look, [image.rgb_file for image in images]))
    same: dict[bytes, list[Path]] = {}
    for image, found in zip(images, looked, strict=True):
        file = image.rgb_file
        if not file.is_file():
            faults.add(Fault.IMAGE_MISSING, file)
        elif found.error:
            faults.add(Fault.IMAGE_UNREADABLE, file, found.error)
        else:
            same.setdefault(found.digest, []).append(file)
            if isinstance(image, Annotated) and found.size_px != (image.width_px, image.height_px):
                why = f"{found.size_px}, and the labels say {(image.width_px, image.height_px)}"
                faults.add(Fault.IMAGE_SIZE, file, why)
    _check_sizes(looked, faults)
    _check_copies(same.values(), parts, faults)


def _check_depth(images: Sequence[Annotated], faults: Faults) -> None:
    files = [f for i in images for f in (i.depth_file, i.depth_true_file) if f is not None]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, error in zip(files, pool.map(_depth_error, files), strict=True):
            if not file.is_file():
                faults.add(Fault.IMAGE_MISSING, file)
            elif error:
                faults.add(Fault.IMAGE_UNREADABLE, file, error)


def _depth_error(file: Path) -> str:
    """Why a depth image cannot be read; empty if it can."""
    try:
        read_depth(file)
    except EncodingError as error:
        return str(error)
    return ""


def _look(file: Path) -> _Looked:
    try:
        pixels = read_image(file, cv2.IMREAD_COLOR)
    except EncodingError as error:
        return _Looked(error=str(error))
    height_px, width_px = pixels.shape[:2]
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16, salt=f"{width_px}".encode())
    return _Looked(digest=digest.digest(), size_px=(width_px, height_px))


def _check_sizes(looked: Iterable[_Looked], faults: Faults) -> None:
    sizes = sorted((f.size_px for f in looked if not f.error), key=lambda size: size[0] * size[1])
    if sizes:
        smallest, largest = sizes[0], sizes[-1]
        if largest[0] * largest[1] > MOST_TIMES_AS_LARGE * smallest[0] * smallest[1]:
            words = f"from {smallest[0]}×{smallest[1]} to {largest[0]}×{largest[1]} px"
            faults.add(Fault.SIZES_VARY, words)


def _check_copies(
    groups: Iterable[list[Path]], parts: Mapping[str, frozenset[Path]], faults: Faults
) -> None:
    for files in groups:
        first = files[0]
        within = sorted({name for f in files for name in _APART if f in parts.get(name, ())})
        if len(within) > 1:
            also = f"as {files[1].name} " if len(files) > 1 else ""
            faults.add(Fault.IN_TWO_SPLITS, first, f"{also}in {' and '.join(within)}")
        elif len(files) > 1:
            faults.add(Fault.PICTURE_TWICE, first, f"and {', '.join(f.name for f in files[1:4])}")


def _spread(count: int, most: int) -> list[int]:
    """Rows, all or `most` of them evenly spread."""
    if most == 0 or most >= count:
        return list(range(count))
    return sorted({round(row) for row in np.linspace(0, count - 1, most).tolist()})
