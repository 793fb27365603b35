"""Label PNGs: `images/1.jpg` with `labels/1.png` (or `masks/1.png`), whose pixels are class ids.

Gray or with a palette, of the image's size; 255 is neither learnt nor counted. Names of the ids
are in `classes.txt` or `labels.json`. Below `images` there may be `train`, `val` and `test`.
"""

from pathlib import Path

from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.training.data.labels.labelled import Masked, SegmentationSet
from robot_vision.training.data.labels.names import CLASSES_FILE, LABELS_FILE, names_in_file
from robot_vision.training.data.opening.faults import Fault, Faults
from robot_vision.training.data.opening.kinds import SETS, SetKind
from robot_vision.training.data.samples.image_files import (
    files_below,
    has_file,
    image_file_size_px,
    images_below,
    sized,
)

_IMAGES = "images"
_MASKS = ("labels", "masks")
_SPLITS = ("train", "val", "valid", "test")


def read(root: Path, split: str, faults: Faults) -> SegmentationSet:
    """Read a split, or the whole set."""
    folder = _mask_folder(root)
    class_names = names_in_file(root) or names_in_file(folder)
    if not class_names:
        raise ConfigError(
            f"{root}: no names of class ids; expected {CLASSES_FILE} (a name per line, the first "
            f"for id 0) or {LABELS_FILE}"
        )
    below_masks, below_images = folder / split, root / _IMAGES / split
    masks = {
        file.relative_to(below_masks).with_suffix(""): file
        for file in files_below(root, below_masks, (".png",), faults)
    }
    images = list[Masked]()
    for file, width_px, height_px in sized(images_below(root, below_images, faults), faults):
        mask_file = masks.pop(file.relative_to(below_images).with_suffix(""), None)
        if mask_file is None:
            faults.add(Fault.IMAGE_WITHOUT_LABELS, file)
        elif _fits(mask_file, (width_px, height_px), faults):
            images.append(
                Masked(width_px=width_px, height_px=height_px, rgb_file=file, mask_file=mask_file)
            )
    for mask_file in masks.values():
        faults.add(Fault.LABELS_WITHOUT_IMAGE, mask_file)
    return SegmentationSet(root=root, class_names=class_names, images=tuple(images))


def _fits(mask_file: Path, size_px: tuple[int, int], faults: Faults) -> bool:
    try:
        mask_size_px = image_file_size_px(mask_file)
    except EncodingError as error:
        faults.add(Fault.LABELS_UNREADABLE, mask_file, error)
        return False
    if mask_size_px != size_px:
        why = f"{mask_size_px}, its image {size_px} (width, height)"
        faults.add(Fault.MASK_SIZE, mask_file, why)
    return mask_size_px == size_px


def _mask_folder(root: Path) -> Path:
    """The folder of masks; raises `ConfigError` if there is none, or two."""
    found = [root / name for name in _MASKS if has_file(root / name, (".png",))]
    if len(found) != 1:
        raise ConfigError(f"{root}: expected PNGs in {' or '.join(f'{m}/' for m in _MASKS)}")
    return found[0]


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(name for name in _SPLITS if (root / _IMAGES / name).is_dir())


def _is_here(root: Path) -> bool:
    has_masks = any(has_file(root / name, (".png",)) for name in _MASKS)
    return has_masks and (root / _IMAGES).is_dir()


SETS.register("label_pngs")(
    SetKind(
        looked_for=f"images/ with labels/*.png or masks/*.png, {CLASSES_FILE} (a class per pixel)",
        is_here=_is_here,
        splits=_splits,
        read=read,
    )
)
