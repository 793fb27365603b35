"""A COCO set on disk: ours with depth and masks, or a user's with boxes only."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from pycocotools import mask as rle

from robot_vision.codecs.bounded import check_size
from robot_vision.core.camera_check import checked_camera
from robot_vision.core.errors import ConfigError, EncodingError, ForeignFileError
from robot_vision.core.foreign import inside, plain, quoted, read_json
from robot_vision.core.limits_config import DEFAULT_LIMITS

# A set of strangers' may say anything; these are what it cannot mean.
_FAULTS = (
    OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError,
)  # fmt: skip
MOST_ANNOTATION_BYTES = 2**30  # COCO's own training set has half of that
_LONGEST_NAME = 200
# How far beyond its image a polygon may go, in sizes of the image.
_MOST_BEYOND = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Annotated:
    """One image of a set: its files and what is annotated in it, in pixels of the file.

    `focal_px` is 0 where the set does not tell it (`intrinsics_px`).
    """

    image_id: int
    width_px: int
    height_px: int
    rgb_file: Path
    depth_file: Path | None
    depth_true_file: Path | None
    focal_px: float
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    class_id: Int64[np.ndarray, " n"]
    color: tuple[str, ...]
    segmentation: tuple[Any, ...]
    crowd_xyxy_px: Float32[np.ndarray, "m 4"]
    crowd_class_id: Int64[np.ndarray, " m"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CocoSet:
    """All images of a set. `class_id` of an annotation is the row of its category by id.

    Annotations with `iscrowd` (hardly visible) are neither learnt nor counted: `crowd_xyxy_px`.
    """

    root: Path
    class_names: tuple[str, ...]
    color_names: tuple[str, ...]
    images: tuple[Annotated, ...]


def load_coco_set(root: Path) -> CocoSet:
    """Read `<root>/annotations.json`; raises `ConfigError` when it is absent or not COCO."""
    file = Path(root) / "annotations.json"
    try:
        data = read_json(file, most_bytes=MOST_ANNOTATION_BYTES)
        categories = sorted(data["categories"], key=lambda category: category["id"])
        row_of = {category["id"]: row for row, category in enumerate(categories)}
        by_image: dict[int, list[Mapping[str, Any]]] = {}
        for annotation in data["annotations"]:
            by_image.setdefault(annotation["image_id"], []).append(annotation)
        used = {a["color"] for a in data["annotations"] if a.get("color")}
        colors = (data.get("info") or {}).get("colors") or sorted(used)
        images = tuple(
            _annotated(Path(root), image, by_image.get(image["id"], []), row_of)
            for image in data["images"]
        )
        class_names = tuple(_name(category["name"]) for category in categories)
        color_names = tuple(_name(color) for color in colors)
    except (ConfigError, EncodingError, ForeignFileError) as error:
        raise ConfigError(f"cannot read the COCO set {file}: {error}") from error
    except _FAULTS as error:
        raise ConfigError(f"cannot read the COCO set {file}: {quoted(repr(error))}") from error
    return CocoSet(
        root=Path(root),
        class_names=class_names,
        color_names=color_names,
        images=images,
    )


def instance_map(annotated: Annotated) -> UInt8[np.ndarray, "h w"]:
    """0 where there is no object, else 1 + the row of the annotation; later rows lie on top."""
    canvas = np.zeros((annotated.height_px, annotated.width_px), np.uint8)
    for row, segmentation in enumerate(annotated.segmentation[:255]):
        if segmentation:
            canvas[decode_segmentation(segmentation, canvas.shape) > 0] = row + 1
    return canvas


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """A mask from COCO's polygons, compressed or plain run lengths; raises `ConfigError`."""
    try:
        _check_segmentation(segmentation, size)
        return _decoded(segmentation, size)
    except ConfigError:
        raise
    except Exception as error:  # pycocotools raises just that
        raise ConfigError(f"a segmentation cannot be read: {quoted(repr(error))}") from error


def _decoded(segmentation: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    height, width = size
    if isinstance(segmentation, list):
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = rle.frPyObjects(segmentation, height, width)
    else:
        encoded = segmentation
    with warnings.catch_warnings():
        # pycocotools 2.0.11 has yet to learn NumPy 2's __array__(copy=...)
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(rle.decode(encoded), np.uint8)


def _check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Raise `ConfigError` for what makes pycocotools allocate without bounds, or write beyond."""
    if isinstance(segmentation, list):
        far = _MOST_BEYOND * max(size)
        for polygon in segmentation:
            points = np.asarray(polygon, np.float64)
            if points.ndim != 1 or not (np.abs(points) <= far).all():
                raise ConfigError(f"a polygon is {quoted(polygon)}, its image has {size} pixels")
        return
    if list(segmentation["size"]) != list(size):
        raise ConfigError(f"a mask has {quoted(segmentation['size'])} pixels, its image {size}")
    if isinstance(segmentation["counts"], list):
        lengths = np.asarray(segmentation["counts"], np.int64)
        covered = int(lengths.sum()) if lengths.ndim == 1 and (lengths >= 0).all() else -1
        if covered != size[0] * size[1]:
            raise ConfigError(f"run lengths cover {covered} pixels of an image of {size}")


def _annotated(
    root: Path,
    image: Mapping[str, Any],
    annotations: list[Mapping[str, Any]],
    row_of: Mapping[int, int],
) -> Annotated:
    crowd = [a for a in annotations if a.get("iscrowd", 0)]
    annotations = [a for a in annotations if not a.get("iscrowd", 0)]
    width_px, height_px = int(image["width"]), int(image["height"])
    check_size(width_px, height_px, limits=DEFAULT_LIMITS, what=f"image {quoted(image['id'])}")
    return Annotated(
        image_id=int(image["id"]),
        width_px=width_px,
        height_px=height_px,
        rgb_file=_file(root, image["file_name"], "rgb"),
        depth_file=_optional_file(root, image.get("depth_file"), "depth"),
        depth_true_file=_optional_file(root, image.get("depth_true_file"), "depth_true"),
        focal_px=_focal_px(image),
        box_xyxy_px=_boxes_xyxy(annotations),
        class_id=_class_ids(annotations, row_of),
        color=tuple(plain(str(a.get("color", ""))) for a in annotations),
        segmentation=tuple(a.get("segmentation") for a in annotations),
        crowd_xyxy_px=_boxes_xyxy(crowd),
        crowd_class_id=_class_ids(crowd, row_of),
    )


def _focal_px(image: Mapping[str, Any]) -> float:
    """0 where the set does not have it; raises `CameraError` if no lens can have it."""
    if not image.get("intrinsics_px"):
        return 0.0
    fx, fy, cx, cy = image["intrinsics_px"]
    size = {"width_px": int(image["width"]), "height_px": int(image["height"])}
    matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    return checked_camera(frame_id="", intrinsics_px=matrix, **size).fx_px


def _boxes_xyxy(annotations: list[Mapping[str, Any]]) -> Float32[np.ndarray, "n 4"]:
    boxes = np.array([a["bbox"] for a in annotations], np.float32).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise ConfigError("a bbox is not finite")
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _class_ids(
    annotations: list[Mapping[str, Any]], row_of: Mapping[int, int]
) -> Int64[np.ndarray, " n"]:
    return np.array([row_of[a["category_id"]] for a in annotations], np.int64)


def _file(root: Path, name: str, folder: str) -> Path:
    """A file named relative to the set, or to its folder of that kind or of images.

    Raises `ForeignFileError` for one that is not below the set.
    """
    for found in (name, f"{folder}/{name}", f"images/{name}"):
        if (root / found).is_file():
            return inside(root, found)
    return inside(root, name)


def _name(text: object) -> str:
    """The name of a class or a colour, as it can be drawn, printed and written to files."""
    if not isinstance(text, str) or not text or len(text) > _LONGEST_NAME:
        raise ConfigError(f"a name is {quoted(text)}, expected 1 to {_LONGEST_NAME} letters")
    return plain(text)


def _optional_file(root: Path, name: str | None, folder: str) -> Path | None:
    return _file(root, name, folder) if name else None
