"""COCO: ours with depth and masks, or a user's with boxes only.

`annotations.json`, or COCO's own layout, `annotations/instances_<part>.json` with images
in `<part>/` or `images/<part>/`, or Roboflow's, `<part>/_annotations.coco.json` beside the images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from robot_vision.codecs.bounded import check_size
from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.errors import ConfigError, EncodingError, ForeignFileError
from robot_vision.core.files.foreign import inside, plain, quoted, read_json
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.training.data.labels.labelled import Annotated, DetectionSet
from robot_vision.training.data.labels.names import checked_name
from robot_vision.training.data.opening.faults import Fault, Faults
from robot_vision.training.data.opening.kinds import SETS, SetKind

ANNOTATIONS = "annotations.json"
_INSTANCES = "instances_"
_BESIDE_IMAGES = "_annotations.coco.json"
MOST_ANNOTATION_BYTES = 2**30  # COCO's own training set has half of that
# An untrusted set may contain anything; these values are impossible.
_FAULTS = (
    OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
)  # fmt: skip


class _Place(NamedTuple):
    """Where an image is listed: the set, its part, the annotation file."""

    root: Path
    split: str
    file: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class _Object:
    """One annotation; `box_xywh_px` is COCO's, `class_id` the row of its category by id."""

    box_xywh_px: Float32[np.ndarray, " 4"]
    class_id: int
    color: str
    segmentation: Any
    visible_share: float
    is_crowd: bool


def load_coco_set(root: Path) -> DetectionSet:
    """Read a whole COCO set; raises `ConfigError` if it is absent or not COCO.

    Categories are classes in the order of their ids. Annotations with `iscrowd` (hardly visible)
    are neither learnt nor counted.
    """
    faults = Faults(Path(root), strict=True)
    loaded = read(Path(root), "", faults)
    faults.log()
    return loaded


def read(root: Path, split: str, faults: Faults) -> DetectionSet:
    """Read a split, or the whole set; unreadable entries are left out and recorded as faults."""
    files = _annotation_files(root)
    first, *others = (
        _read_file(root, name, file, faults) for name, file in files.items() if split in ("", name)
    )
    for other in others:
        if other.class_names != first.class_names:
            raise ConfigError(
                f"{root}: {', '.join(f.name for f in files.values())} have other categories; "
                "expected the same in each"
            )
    images = tuple(image for part in (first, *others) for image in part.images)
    return replace(first, images=images)


def _annotation_files(root: Path) -> dict[str, Path]:
    """Annotation files by split; the one of an undivided set has no name."""
    found = {
        file.stem.removeprefix(_INSTANCES): file
        for file in sorted((root / "annotations").glob(f"{_INSTANCES}*.json"))
    }
    found |= {file.parent.name: file for file in sorted(root.glob(f"*/{_BESIDE_IMAGES}"))}
    for whole in (root / ANNOTATIONS, root / _BESIDE_IMAGES):
        if whole.is_file():
            return {"": whole}
    return found or {"": root / ANNOTATIONS}


def _read_file(root: Path, split: str, file: Path, faults: Faults) -> DetectionSet:
    try:
        data = read_json(file, most_bytes=MOST_ANNOTATION_BYTES)
        categories = sorted(data["categories"], key=lambda category: category["id"])
        row_of = _rows_of(categories, file, faults)
        class_names = tuple(checked_name(category["name"]) for category in categories)
        used = {a["color"] for a in data["annotations"] if a.get("color")}
        colors = (data.get("info") or {}).get("colors") or sorted(used)
        color_names = tuple(checked_name(color) for color in colors)
        by_image = _by_image(data, file, faults)
    except (ConfigError, ForeignFileError) as error:
        raise ConfigError(f"cannot read the COCO set {file}: {error}") from error
    except _FAULTS as error:
        raise ConfigError(f"cannot read the COCO set {file}: {quoted(repr(error))}") from error
    images = (
        _annotated(_Place(root, split, file), image, by_image[image["id"]], row_of, faults)
        for image in data["images"]
    )
    return DetectionSet(
        root=root,
        class_names=class_names,
        color_names=color_names,
        images=tuple(image for image in images if image is not None),
    )


def _rows_of(categories: list[Any], file: Path, faults: Faults) -> dict[Any, int]:
    row_of = {category["id"]: row for row, category in enumerate(categories)}
    if len(row_of) < len(categories):
        faults.add(Fault.LABELS_UNREADABLE, file, "two categories have the same id")
    return row_of


def _by_image(data: Any, file: Path, faults: Faults) -> dict[Any, list[Mapping[str, Any]]]:
    """The annotations of each image by the image's id."""
    by_image: dict[Any, list[Mapping[str, Any]]] = {image["id"]: [] for image in data["images"]}
    if len(by_image) < len(data["images"]):
        faults.add(Fault.LABELS_UNREADABLE, file, "two images have the same id")
    for annotation in data["annotations"]:
        image_id = annotation["image_id"]
        if image_id in by_image:
            by_image[image_id].append(annotation)
        else:
            faults.add(Fault.LABELS_WITHOUT_IMAGE, file, f"an annotation of image {image_id!r}")
    return by_image


def _annotated(
    place: _Place,
    image: Mapping[str, Any],
    annotations: list[Mapping[str, Any]],
    row_of: Mapping[Any, int],
    faults: Faults,
) -> Annotated | None:
    """One image; None if its entry is impossible."""
    what = f"{place.file.name}, image {quoted(image['id'])}"
    try:
        width_px, height_px = int(image["width"]), int(image["height"])
        check_size(width_px, height_px, limits=DEFAULT_LIMITS, what="it")
        files = {
            "rgb_file": _file(place, image["file_name"], "rgb"),
            "depth_file": _optional_file(place, image.get("depth_file"), "depth"),
            "depth_true_file": _optional_file(place, image.get("depth_true_file"), "depth_true"),
        }
        image_id, focal_px = int(image["id"]), _focal_px(image)
    except ForeignFileError as error:
        faults.add(Fault.OUTSIDE, what, error)
        return None
    except (ConfigError, EncodingError) as error:
        faults.add(Fault.LABELS_UNREADABLE, what, error)
        return None
    except _FAULTS as error:
        faults.add(Fault.LABELS_UNREADABLE, what, quoted(repr(error)))
        return None
    if not annotations:
        faults.add(Fault.IMAGE_WITHOUT_LABELS, files["rgb_file"])
    objects = [o for a in annotations if (o := _object(a, row_of, what, faults)) is not None]
    shown = [o for o in objects if not o.is_crowd]
    crowd = [o for o in objects if o.is_crowd]
    return Annotated(
        image_id=image_id,
        width_px=width_px,
        height_px=height_px,
        focal_px=focal_px,
        box_xyxy_px=_boxes_xyxy(shown),
        class_id=np.array([o.class_id for o in shown], np.int64),
        color=tuple(o.color for o in shown),
        segmentation=tuple(o.segmentation for o in shown),
        visible_share=np.array([o.visible_share for o in shown], np.float32),
        crowd_xyxy_px=_boxes_xyxy(crowd),
        crowd_class_id=np.array([o.class_id for o in crowd], np.int64),
        **files,
    )


def _object(
    annotation: Mapping[str, Any], row_of: Mapping[Any, int], what: str, faults: Faults
) -> _Object | None:
    """One annotation; None if it cannot be read."""
    try:
        category = annotation["category_id"]
        box = np.array(annotation["bbox"], np.float32)
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ConfigError(f"a bbox is {quoted(annotation['bbox'])}; expected four numbers")
        class_id = row_of.get(category)
        found = _Object(
            box_xywh_px=box,
            class_id=-1 if class_id is None else class_id,
            color=plain(str(annotation.get("color", ""))),
            segmentation=annotation.get("segmentation"),
            visible_share=float(annotation.get("visible_share", 1.0)),
            is_crowd=bool(annotation.get("iscrowd", 0)),
        )
    except ConfigError as error:
        faults.add(Fault.LABELS_UNREADABLE, what, error)
        return None
    except _FAULTS as error:
        faults.add(Fault.LABELS_UNREADABLE, what, quoted(repr(error)))
        return None
    if class_id is None:
        faults.add(Fault.CLASS_WITHOUT_NAME, what, f"category_id {quoted(category)}")
        return None
    return found


def _boxes_xyxy(objects: list[_Object]) -> Float32[np.ndarray, "n 4"]:
    boxes = np.array([o.box_xywh_px for o in objects], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _focal_px(image: Mapping[str, Any]) -> float:
    """0 if the set does not have it; raises `CameraError` for an impossible lens."""
    if not image.get("intrinsics_px"):
        return 0.0
    fx, fy, cx, cy = image["intrinsics_px"]
    return checked_camera(
        frame_id="",
        width_px=int(image["width"]),
        height_px=int(image["height"]),
        intrinsics_px=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
    ).fx_px


def _file(place: _Place, name: str, folder: str) -> Path:
    """A file named relative to the set, or to its folder of this kind, of images or of the split.

    Raises `ForeignFileError` for one that is not below the set.
    """
    split = place.split
    folders = ("", f"{folder}/", "images/", f"{split}/", f"images/{split}/")
    for found in (f"{before}{name}" for before in folders):
        if (place.root / found).is_file():
            return inside(place.root, found)
    return inside(place.root, name)


def _optional_file(place: _Place, name: str | None, folder: str) -> Path | None:
    return _file(place, name, folder) if name else None


SETS.register("coco")(
    SetKind(
        looked_for=f"{ANNOTATIONS}, annotations/{_INSTANCES}*.json or {_BESIDE_IMAGES} (boxes)",
        is_here=lambda root: any(file.is_file() for file in _annotation_files(root).values()),
        splits=lambda root: tuple(name for name in _annotation_files(root) if name),
        read=read,
    )
)
