"""A folder per class: `dog/1.jpg`, or `train/dog/1.jpg` and `val/dog/2.jpg`."""

from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.labels.labelled import ClassificationSet, Classified
from robot_vision.training.data.labels.names import checked_name
from robot_vision.training.data.opening.faults import Fault, Faults
from robot_vision.training.data.opening.kinds import SETS, SetKind
from robot_vision.training.data.samples.image_files import IMAGE_SUFFIXES, has_file, images_below

_SPLITS = ("train", "val", "valid", "test")
# Folders of other kinds of sets, and of files kept beside a set.
_NO_CLASSES = frozenset(_SPLITS) | frozenset(
    ("images", "labels", "masks", "annotations", "jpegimages", "imagesets", "depth",
     "depth_true", "rgb", "cache")
)  # fmt: skip


def read(root: Path, split: str, faults: Faults) -> ClassificationSet:
    """Read a split, or the whole set; classes are the folders of all splits, sorted."""
    splits = _splits(root)
    parts = [root / name for name in splits] or [root]
    names = sorted({folder.name for part in parts for folder in _class_folders(part)})
    if not names:
        raise ConfigError(f"{root}: expected a folder per class, with images in it")
    images = list[Classified]()
    for part in [root / split] if split else parts:
        for row, name in enumerate(names):
            files = images_below(root, part / name, faults)
            images += [Classified(rgb_file=file, class_id=row) for file in files]
        for file in sorted(part.iterdir()):
            if file.is_file() and file.suffix.lower() in IMAGE_SUFFIXES:
                faults.add(Fault.IMAGE_WITHOUT_LABELS, file)
    return ClassificationSet(
        root=root,
        class_names=tuple(checked_name(name) for name in names),
        images=tuple(images),
    )


def _class_folders(part: Path) -> list[Path]:
    return [
        folder
        for folder in sorted(part.iterdir())
        if folder.is_dir()
        and not folder.name.startswith(".")
        and folder.name.lower() not in _NO_CLASSES
    ]


def _splits(root: Path) -> tuple[str, ...]:
    """The folders train, val and test, if they exist and contain folders."""
    found = tuple(name for name in _SPLITS if (root / name).is_dir())
    return found if found and all(_class_folders(root / name) for name in found) else ()


def _is_here(root: Path) -> bool:
    parts = [root / name for name in _splits(root)] or [root]
    return any(has_file(folder, IMAGE_SUFFIXES) for p in parts for folder in _class_folders(p))


SETS.register("folders")(
    SetKind(
        looked_for="a folder per class, with images in it (one class per image)",
        is_here=_is_here,
        splits=_splits,
        read=read,
        last_resort=True,
    )
)
