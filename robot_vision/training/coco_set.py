"""A COCO set on disk: ours with depth and masks, or a user's with boxes only."""

import json
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
from robot_vision.core.errors import ConfigError
from robot_vision.core.limits_config import DEFAULT_LIMITS


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
        data = json.loads(file.read_text())
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
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"cannot read the COCO set {file}: {error!r}") from error
    return CocoSet(
        root=Path(root),
        class_names=tuple(category["name"] for category in categories),
        color_names=tuple(colors),
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
    """A mask from COCO's polygons, compressed or plain run lengths."""
    height, width = size
    if isinstance(segmentation, list):
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = rle.frPyObjects(segmentation, height, width)
    else:
        encoded = segmentation
        if tuple(encoded["size"]) != (height, width):
            raise ConfigError(
                f"a mask of {encoded['size']} (height, width); its image has {[height, width]}"
            )
    with warnings.catch_warnings():
        # pycocotools 2.0.11 has yet to learn NumPy 2's __array__(copy=...)
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(rle.decode(encoded), np.uint8)


def _annotated(
    root: Path,
    image: Mapping[str, Any],
    annotations: list[Mapping[str, Any]],
    row_of: Mapping[int, int],
) -> Annotated:
    crowd = [a for a in annotations if a.get("iscrowd", 0)]
    annotations = [a for a in annotations if not a.get("iscrowd", 0)]
    width_px, height_px = int(image["width"]), int(image["height"])
    check_size(width_px, height_px, limits=DEFAULT_LIMITS, what=f"image {image['id']}")
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
        color=tuple(str(a.get("color", "")) for a in annotations),
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
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _class_ids(
    annotations: list[Mapping[str, Any]], row_of: Mapping[int, int]
) -> Int64[np.ndarray, " n"]:
    return np.array([row_of[a["category_id"]] for a in annotations], np.int64)


def _file(root: Path, name: str, folder: str) -> Path:
    """A file named relative to the set, or to its folder of that kind or of images."""
    for candidate in (root / name, root / folder / name, root / "images" / name):
        if candidate.exists():
            return candidate
    return root / name


def _optional_file(root: Path, name: str | None, folder: str) -> Path | None:
    return _file(root, name, folder) if name else None
