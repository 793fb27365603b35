"""Opens a set of any kind, recognised by its files, with a part chosen by name."""

from pathlib import Path

from robot_vision.core.errors import ConfigError, EncodingError, ForeignFileError
from robot_vision.core.files.foreign import quoted
from robot_vision.training.data.labels.labelled import DetectionSet, LabelledSet
from robot_vision.training.data.opening.faults import Faults
from robot_vision.training.data.opening.kinds import SETS

AUTO = "auto"


def open_set(folder: str | Path, kind: str = AUTO) -> LabelledSet:
    """The set in a folder, for training; `folder@val` is the part named val.

    Raises `ConfigError` if no kind of set, or more than one, is recognised, if a part must
    be named, and for the first fault that training refuses. Others are logged.
    """
    root, split = set_and_split(folder)
    kind = kind_of(root, kind)
    faults = Faults(root, strict=True)
    split = _chosen_split(root, kind, split)
    opened = read_set(root, kind, split, faults)
    if not opened.images:
        raise ConfigError(f"{folder} is a set ({kind}) without images")
    faults.log()
    return opened


def load_detection_set(folder: str | Path) -> DetectionSet:
    """A set of images with boxes, of any kind; raises `ConfigError` as `open_set` does."""
    opened = open_set(folder)
    if not isinstance(opened, DetectionSet):
        raise ConfigError(
            f"{folder} is a set with {_labels_of(opened)}; expected one with boxes: "
            "COCO, YOLO or Pascal VOC"
        )
    return opened


def set_and_split(folder: str | Path) -> tuple[Path, str]:
    """The folder and the part that `folder@part` names; the part is empty where there is none."""
    before, separator, split = str(folder).rpartition("@")
    if separator and before and split and Path(before).is_dir():
        return Path(before), split
    return Path(folder), ""


def kind_of(root: Path, kind: str = AUTO) -> str:
    """The kind of set that a folder holds, or `kind` if it is one; raises `ConfigError`."""
    if kind != AUTO:
        SETS.get(kind)
        return kind
    if not root.is_dir():
        raise ConfigError(f"{root} is not a folder; expected the folder of a set")
    found = [name for name in SETS if SETS.get(name).is_here(root)]
    found = [name for name in found if not SETS.get(name).last_resort] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"{root} looks like sets of several kinds: {', '.join(found)}; choose one (`data "
            "check --kind`), or move the other files out of the folder"
        )
    looked_for = "; ".join(f"{name}: {SETS.get(name).looked_for}" for name in SETS)
    raise ConfigError(f"{root} is not a known kind of set. Looked for: {looked_for}")


def splits_of(root: Path, kind: str, split: str = "") -> tuple[str, ...]:
    """The names of a set's parts; raises `ConfigError` if `split` is none of them."""
    try:
        splits = SETS.get(kind).splits(root)
    except ForeignFileError as error:
        raise ConfigError(f"cannot read the set {root} ({kind}): {error}") from error
    if split and split not in splits:
        available = ", ".join(splits) or "none: it is one part"
        raise ConfigError(f"{root} has no part {quoted(split)}; available: {available}")
    return splits


def read_set(root: Path, kind: str, split: str, faults: Faults) -> LabelledSet:
    """A part of a set, or all of it; raises `ConfigError` if nothing can be read."""
    try:
        return SETS.get(kind).read(root, split, faults)
    except (ForeignFileError, EncodingError) as error:
        raise ConfigError(f"cannot read the set {root} ({kind}): {error}") from error


def _chosen_split(root: Path, kind: str, split: str) -> str:
    splits = splits_of(root, kind, split)
    if not split and len(splits) > 1:
        raise ConfigError(
            f"{root} has the parts {', '.join(splits)}; name one of them: {root}@{splits[0]}"
        )
    return split or (splits[0] if splits else "")


def _labels_of(opened: LabelledSet) -> str:
    return {"ClassificationSet": "one class per image"}.get(type(opened).__name__, "label PNGs")
