"""Pascal VOC: an XML file of boxes for each image, lists of images by split.

`Annotations/1.xml` belongs to `JPEGImages/1.jpg`; `ImageSets/Main/val.txt` lists names of a
split, a line each. Pixels count from 1 and boxes include their last row and column (VOC 2007,
http://host.robots.ox.ac.uk/pascal/VOC/); 0, which other tools write, counts as the border.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted, read_text
from robot_vision.core.files.foreign_xml import read_xml
from robot_vision.training.data.labels.boxes import MOST_BOXES_AN_IMAGE, LabelledBox, annotated
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.labels.names import CLASSES_FILE, checked_name, names_in_file
from robot_vision.training.data.opening.faults import Fault, Faults
from robot_vision.training.data.opening.kinds import SETS, SetKind
from robot_vision.training.data.samples.image_files import (
    below,
    files_below,
    has_file,
    images_below,
    sized,
)

_LABEL_FOLDERS = ("Annotations", "annotations")
_IMAGE_FOLDERS = ("JPEGImages", "images")
_LISTS = Path("ImageSets") / "Main"
_MOST_PX = 1e6


@dataclass(frozen=True, kw_only=True)
class VocObject:
    """One object of an XML file; corners are between pixels, the first pixel begins at 0."""

    name: str
    xyxy_px: tuple[float, float, float, float]
    is_difficult: bool


@dataclass(frozen=True, kw_only=True)
class VocLabels:
    """The content of an XML file; the size is None if it gives none."""

    size_px: tuple[int, int] | None
    objects: tuple[VocObject, ...]


def read(root: Path, split: str, faults: Faults) -> DetectionSet:
    """Read a split, or the whole set.

    Classes are the names in `classes.txt`; without it, all names in any split, sorted, so
    that the splits of one set agree. Objects marked difficult are a crowd.
    """
    label_folder, image_folder = _folders(root)
    labels = _all_labels(root, label_folder, faults)
    class_names = names_in_file(root) or _names_used(labels)
    if not class_names:
        raise ConfigError(f"{label_folder}: no XML file in it holds an object with a name")
    row_of = {name: row for row, name in enumerate(class_names)}
    all_images = {file.stem: file for file in images_below(root, image_folder, faults)}
    wanted = _names_of(root, split, faults) if split else [*all_images]
    for stem in labels if not split else ():
        if stem not in all_images:
            faults.add(Fault.LABELS_WITHOUT_IMAGE, label_folder / f"{stem}.xml")
    files = list[Path]()
    for stem in wanted:
        if stem in all_images:
            files.append(all_images[stem])
        else:
            faults.add(Fault.IMAGE_MISSING, image_folder / stem, f"named in {split}.txt")
    images = (
        _image(file, labels.get(file.stem), number, (width_px, height_px), row_of, faults)
        for number, (file, width_px, height_px) in enumerate(sized(files, faults), start=1)
    )
    return DetectionSet(root=root, class_names=class_names, images=tuple(images))


def parse_labels(root: Element) -> VocLabels:
    """What the root element of an XML file says; raises `ConfigError`."""
    objects = root.findall("object")
    if len(objects) > MOST_BOXES_AN_IMAGE:
        raise ConfigError(f"{len(objects)} objects; at most {MOST_BOXES_AN_IMAGE} are read")
    size_px = None
    if (size := root.find("size")) is not None:
        width_px, height_px = (_number(size, side) for side in ("width", "height"))
        size_px = (int(width_px), int(height_px))
    return VocLabels(size_px=size_px, objects=tuple(_object(element) for element in objects))


def _object(element: Element) -> VocObject:
    box = element.find("bndbox")
    if box is None:
        raise ConfigError("an object has no bndbox")
    left, top, right, bottom = (_number(box, side) for side in ("xmin", "ymin", "xmax", "ymax"))
    return VocObject(
        name=checked_name((element.findtext("name") or "").strip()),
        xyxy_px=(max(left - 1, 0.0), max(top - 1, 0.0), right, bottom),
        is_difficult=(element.findtext("difficult") or "").strip() == "1",
    )


def _number(element: Element, name: str) -> float:
    text = (element.findtext(name) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= _MOST_PX:
        raise ConfigError(f"{name} is {quoted(text)}; expected a number of pixels")
    return value


def _all_labels(root: Path, folder: Path, faults: Faults) -> dict[str, VocLabels]:
    labels: dict[str, VocLabels] = {}
    for file in files_below(root, folder, (".xml",), faults):
        try:
            labels[file.stem] = parse_labels(read_xml(file))
        except (ConfigError, ForeignFileError) as error:
            faults.add(Fault.LABELS_UNREADABLE, file, error)
    return labels


def _names_used(labels: Mapping[str, VocLabels]) -> tuple[str, ...]:
    return tuple(sorted({o.name for found in labels.values() for o in found.objects}))


def _image(
    file: Path,
    labels: VocLabels | None,
    number: int,
    size_px: tuple[int, int],
    row_of: Mapping[str, int],
    faults: Faults,
) -> Annotated:
    boxes = list[LabelledBox]()
    if labels is None:
        faults.add(Fault.IMAGE_WITHOUT_LABELS, file)
    elif labels.size_px not in (None, size_px):
        faults.add(Fault.IMAGE_SIZE, file, f"{size_px}, and its XML file says {labels.size_px}")
    for found in labels.objects if labels is not None else ():
        if found.name not in row_of:
            faults.add(Fault.CLASS_WITHOUT_NAME, file, f"{found.name} is not in {CLASSES_FILE}")
            continue
        boxes.append(
            LabelledBox(
                xyxy_px=found.xyxy_px,
                class_id=row_of[found.name],
                is_crowd=found.is_difficult,
            )
        )
    width_px, height_px = size_px
    return annotated(file, boxes, image_id=number, width_px=width_px, height_px=height_px)


def _folders(root: Path) -> tuple[Path, Path]:
    """The folders of labels and of images; raises `ConfigError`."""
    found = [
        next((root / name for name in names if (root / name).is_dir()), None)
        for names in (_LABEL_FOLDERS, _IMAGE_FOLDERS)
    ]
    if found[0] is None or found[1] is None:
        raise ConfigError(f"{root}: expected Annotations/ with XML files, and JPEGImages/")
    return found[0], found[1]


def _names_of(root: Path, split: str, faults: Faults) -> list[str]:
    names = list[str]()
    for line in read_text(below(root, str(_LISTS / f"{split}.txt"))).splitlines():
        name = line.strip()
        if name and Path(name).name != name:
            faults.add(Fault.OUTSIDE, root / _LISTS / f"{split}.txt", quoted(name))
        elif name:
            names.append(name)
    return list(dict.fromkeys(names))


def _splits(root: Path) -> tuple[str, ...]:
    """Only lists of names: per-class lists, such as `dog_train.txt`, have a second column."""
    files = sorted((root / _LISTS).glob("*.txt"))
    lists = [below(root, str(file.relative_to(root))) for file in files]
    return tuple(file.stem for file in lists if len(_first_line(file).split()) == 1)


def _first_line(file: Path) -> str:
    return next(iter(read_text(file).splitlines()), "")


def _is_here(root: Path) -> bool:
    return any(has_file(root / name, (".xml",)) for name in _LABEL_FOLDERS)


SETS.register("voc")(
    SetKind(
        looked_for="Annotations/*.xml with JPEGImages/ (boxes, Pascal VOC)",
        is_here=_is_here,
        splits=_splits,
        read=read,
    )
)
