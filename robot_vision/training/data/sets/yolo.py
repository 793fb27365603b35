"""YOLO text labels in Ultralytics' layout: boxes or polygons in fractions of the image's size.

`data.yaml` (or `dataset.yaml`) has `names` and the folders of `train`, `val` and `test`; without
it names are in `classes.txt`. The labels of `…/images/a/1.jpg` are in `…/labels/a/1.txt`, a line
per object: its class, then the centre and size of its box, or three or more corners.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted, read_text, read_yaml
from robot_vision.training.data.labels.boxes import MOST_BOXES_AN_IMAGE, LabelledBox, annotated
from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.labels.masks import MOST_BEYOND
from robot_vision.training.data.labels.names import CLASSES_FILE, names_by_id, names_in_file
from robot_vision.training.data.opening.faults import Fault, Faults
from robot_vision.training.data.opening.kinds import SETS, SetKind
from robot_vision.training.data.samples.image_files import (
    IMAGE_SUFFIXES,
    below,
    files_below,
    has_file,
    images_below,
    sized,
)

CONFIGS = ("data.yaml", "dataset.yaml")
SPLITS = ("train", "val", "test")
_FOLDERS_OF_SPLITS = {"valid": "val"} | {name: name for name in SPLITS}
_BOX_FIELDS = 5
_MOST_LABEL_BYTES = 2**24


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Class names, and the sources of each split's images: folders, or lists of files."""

    class_names: tuple[str, ...]
    sources: dict[str, tuple[Path, ...]]


def read(root: Path, split: str, faults: Faults) -> DetectionSet:
    """Read a split, or the whole set."""
    layout = _layout(root)
    sources = [s for name, found in layout.sources.items() if split in ("", name) for s in found]
    files = list(dict.fromkeys(f for s in sources for f in _images_of(root, s, faults)))
    _find_orphans(root, sources, files, faults)
    images = (
        annotated(
            file,
            _labels_of(root, file, layout.class_names, (width_px, height_px), faults),
            image_id=number,
            width_px=width_px,
            height_px=height_px,
        )
        for number, (file, width_px, height_px) in enumerate(sized(files, faults), start=1)
    )
    return DetectionSet(root=root, class_names=layout.class_names, images=tuple(images))


def parse_label(line: str, *, width_px: int, height_px: int) -> LabelledBox:
    """One line of a label file; raises `ConfigError` that names the problem."""
    fields = line.split()
    try:
        class_id, *parts = (float(field) for field in fields)
    except ValueError:
        raise ConfigError(f"{quoted(line)}: expected a class and numbers") from None
    if not (math.isfinite(class_id) and 0 <= class_id == int(class_id)):
        raise ConfigError(f"{quoted(line)}: class {class_id:g}; expected 0, 1, 2 …")
    if not all(math.isfinite(part) and abs(part) <= MOST_BEYOND for part in parts):
        raise ConfigError(
            f"{quoted(line)}: expected fractions of the image's size, 0 to 1, not pixels"
        )
    if len(fields) == _BOX_FIELDS:
        x, y, half_w, half_h = parts[0], parts[1], parts[2] / 2, parts[3] / 2
        corners, polygon = (x - half_w, y - half_h, x + half_w, y + half_h), ()
    elif len(parts) >= 6 and len(parts) % 2 == 0:
        xs, ys = parts[::2], parts[1::2]
        corners = (min(xs), min(ys), max(xs), max(ys))
        polygon = tuple(p * (height_px if i % 2 else width_px) for i, p in enumerate(parts))
    else:
        raise ConfigError(
            f"{quoted(line)}: {len(fields)} numbers; expected a class with centre and size, "
            "or a class with the x and y of three and more corners"
        )
    left, top, right, bottom = corners
    return LabelledBox(
        xyxy_px=(left * width_px, top * height_px, right * width_px, bottom * height_px),
        class_id=int(class_id),
        polygon_px=polygon,
    )


def label_file_of(root: Path, image: Path) -> Path:
    """The label file of an image: beside it, if no folder of the set is named images."""
    parts = list(image.relative_to(root).parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return (root / Path(*parts)).with_suffix(".txt")


def _labels_of(
    root: Path,
    image: Path,
    class_names: tuple[str, ...],
    size_px: tuple[int, int],
    faults: Faults,
) -> list[LabelledBox]:
    file, boxes = label_file_of(root, image), list[LabelledBox]()
    if not file.is_file():
        faults.add(Fault.IMAGE_WITHOUT_LABELS, image)
        return boxes
    try:
        below(root, str(file.relative_to(root)))
        lines = read_text(file, most_bytes=_MOST_LABEL_BYTES).splitlines()
    except ForeignFileError as error:
        faults.add(Fault.LABELS_UNREADABLE, file, error)
        return boxes
    if len(lines) > MOST_BOXES_AN_IMAGE:
        why = f"{len(lines)} lines; at most {MOST_BOXES_AN_IMAGE} are read"
        faults.add(Fault.LABELS_UNREADABLE, file, why)
        return boxes
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            box = parse_label(line, width_px=size_px[0], height_px=size_px[1])
        except ConfigError as error:
            faults.add(Fault.LABELS_UNREADABLE, file, f"line {number}: {error}")
            continue
        if box.class_id < len(class_names):
            boxes.append(box)
        else:
            why = f"line {number}: class {box.class_id} of {len(class_names)}"
            faults.add(Fault.CLASS_WITHOUT_NAME, file, why)
    return boxes


def _layout(root: Path) -> _Layout:
    config = next((root / name for name in CONFIGS if (root / name).is_file()), None)
    if config is None:
        names = names_in_file(root) or names_in_file(root / "labels")
        if not names:
            raise ConfigError(
                f"{root}: no names of classes; expected {CONFIGS[0]} with names, or {CLASSES_FILE}"
            )
        return _Layout(class_names=names, sources=_split_folders(root / "images"))
    content = read_yaml(below(root, config.name))
    if not isinstance(content, dict) or "names" not in content:
        raise ConfigError(f"{config}: expected a mapping with names, train and val")
    if "kpt_shape" in content:
        raise ConfigError(f"{config}: labels of key points (kpt_shape) are not read")
    names = names_by_id(content["names"], what=config)
    if content.get("nc", len(names)) != len(names):
        raise ConfigError(f"{config}: nc is {quoted(content['nc'])}, but {len(names)} names")
    base = _base(root, content.get("path"))
    sources = {
        name: tuple(_source(root, base, entry, config) for entry in _entries(content[name]))
        for name in SPLITS
        if content.get(name)
    }
    return _Layout(class_names=names, sources=sources or _split_folders(root / "images"))


def _split_folders(images: Path) -> dict[str, tuple[Path, ...]]:
    """Folders of images by split, or all images as one part without a name."""
    found = {
        split: (images / folder,)
        for folder, split in _FOLDERS_OF_SPLITS.items()
        if (images / folder).is_dir()
    }
    return found or {"": (images,)}


def _base(root: Path, path: object) -> Path:
    """The folder that the configuration's `path` refers to, relative to the set.

    It mostly names a place on another machine: then it is the configuration's folder.
    """
    base = Path(str(path or ""))
    try:
        return base if not base.is_absolute() and below(root, str(base)).is_dir() else Path()
    except ForeignFileError:
        return Path()


def _entries(value: object) -> list[str]:
    return [str(entry) for entry in (value if isinstance(value, list) else [value])]


def _source(root: Path, base: Path, entry: str, config: Path) -> Path:
    """A folder or list of images below the set; a leading `../`, which exporters write, is
    dropped if nothing is there, as Ultralytics does. Raises `ConfigError`."""
    for name in (entry, entry.removeprefix("../")):
        try:
            found = below(root, str(base / name))
        except ForeignFileError:
            continue
        if found.exists():
            return found
    raise ConfigError(f"{config}: {quoted(entry)} is neither a folder nor a list below {root}")


def _images_of(root: Path, source: Path, faults: Faults) -> list[Path]:
    if source.is_dir():
        return images_below(root, source, faults)
    found: list[Path] = []
    for line in read_text(source).splitlines():
        name = line.strip().removeprefix("./")
        if not name:
            continue
        try:
            file = below(root, str(source.parent.relative_to(root) / name))
        except ForeignFileError:
            faults.add(Fault.OUTSIDE, source, quoted(name))
            continue
        if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES:
            found.append(file)
        else:
            faults.add(Fault.IMAGE_MISSING, file, f"named in {source.name}")
    return found


def _find_orphans(root: Path, sources: list[Path], files: list[Path], faults: Faults) -> None:
    """Record label files without an image."""
    known = {label_file_of(root, file) for file in files}
    for source in sources:
        folder = label_file_of(root, source / "any").parent
        if source.is_dir() and folder.is_dir():
            for file in files_below(root, folder, (".txt",), faults):
                if file not in known and file.name != CLASSES_FILE:
                    faults.add(Fault.LABELS_WITHOUT_IMAGE, file)


def _is_here(root: Path) -> bool:
    if any((root / name).is_file() for name in CONFIGS):
        return True
    labels = root / "labels"
    return (root / "images").is_dir() and has_file(labels, (".txt",), but=(CLASSES_FILE,))


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(name for name in _layout(root).sources if name)


SETS.register("yolo")(
    SetKind(
        looked_for=f"{CONFIGS[0]}, or images/ and labels/*.txt with {CLASSES_FILE} (boxes)",
        is_here=_is_here,
        splits=_splits,
        read=read,
    )
)
