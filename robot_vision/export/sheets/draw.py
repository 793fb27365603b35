"""The sheet of a bundle, by its task."""

from pathlib import Path

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.sheets.boxes import box_tiles
from robot_vision.export.sheets.canvas import legend, save
from robot_vision.export.sheets.classification import crop_tiles
from robot_vision.export.sheets.segmentation import label_tiles
from robot_vision.export.sheets.slots import slot_tiles
from robot_vision.model_store.store import Bundle

_SUFFIXES = (".jpg", ".jpeg")


def draw_sheet(bundle: Bundle, held_out: Path, file: Path) -> None:
    """Pictures spread evenly over a held-out set, not hand-picked, with truth and answer.

    Raises `BundleError` for a task that has no sheet, `ConfigError` if the set does not fit or
    the file cannot be written.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"--sheet {file}: expected the name of a JPEG, such as sheet.jpg")
    manifest, folder = bundle.manifest, str(held_out)
    if manifest.task == "classification":
        save(file, crop_tiles(bundle, folder), columns=8, foot=None)
    elif manifest.task == "segmentation":
        save(file, label_tiles(bundle, folder), columns=2, foot=legend(manifest.classes))
    elif manifest.task in ("detection", "multitask"):
        has_classes = "semantic" in manifest.outputs
        tiles = box_tiles(bundle, folder)
        foot = legend(manifest.classes) if has_classes else None
        save(file, tiles, columns=2 if has_classes else 3, foot=foot)
    elif "slot_masks" in manifest.outputs:
        save(file, slot_tiles(bundle, folder), columns=1, foot=None)
    else:
        raise BundleError(
            f"bundle {manifest.name!r} is of task {manifest.task!r}; sheets exist for "
            "classification, segmentation, detection, and models with slots"
        )
