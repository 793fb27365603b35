"""Contact sheets of a training set, for inspection before training."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import (
    ConfigError,
    EncodingError,
    ForeignFileError,
    RobotVisionError,
)
from robot_vision.core.files.foreign import inside, plain, quoted, read_json
from robot_vision.training.data.labels.masks import decode_segmentation
from robot_vision.training.data.sets.coco import MOST_ANNOTATION_BYTES

_BGR = UInt8[np.ndarray, "h w 3"]


def contact_sheet(folder: Path, *, first: int, frames: int, columns: int = 3) -> _BGR:
    """Frames with masks and boxes, beside their sensor depth and exact depth (BGR picture).

    Ignored regions are grey. Raises `ConfigError` if the set cannot be read.
    """
    try:
        content = read_json(folder / "annotations.json", most_bytes=MOST_ANNOTATION_BYTES)
        return _sheet(folder, content, first=first, frames=frames, columns=columns)
    except ForeignFileError as error:
        raise ConfigError(f"cannot read the set in {folder}: {error}") from error
    except RobotVisionError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, cv2.error) as error:
        why = quoted(repr(error))
        raise ConfigError(f"{folder} is not a set of `scenes generate`: {why}") from error


def _sheet(folder: Path, content: Any, *, first: int, frames: int, columns: int) -> _BGR:
    names = {c["id"]: c["name"] for c in content["categories"]}
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    chosen = content["images"][first : first + frames]
    if not chosen:
        raise ConfigError(f"{folder} has {len(content['images'])} frames; requested from {first}")
    tiles = [_tile(folder, image, by_image.get(image["id"], []), names) for image in chosen]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(
    folder: Path, image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[int, str]
) -> _BGR:
    picture = _read(inside(folder, image["file_name"]), cv2.IMREAD_COLOR)
    for annotation in annotations:
        _draw(picture, annotation, names)
    depths = [
        _depth_picture(inside(folder, image[key]))
        for key in ("depth_file", "depth_true_file")
        if key in image
    ]
    return np.hstack([picture, *depths])


def _read(path: Path, flags: int) -> np.ndarray:
    try:
        return read_image(path, flags)
    except EncodingError as error:
        raise ConfigError(f"cannot read an image of the set: {error}") from error


def _draw(picture: _BGR, annotation: dict[str, Any], names: dict[int, str]) -> None:
    """Paint one annotation's mask, box and name onto `picture`."""
    hue = annotation["id"] * 47 % 180
    tone = cv2.cvtColor(np.array([[[hue, 255, 255]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    if annotation.get("iscrowd"):
        tone = np.array([128, 128, 128], np.uint8)
    mask = decode_segmentation(annotation["segmentation"], picture.shape[:2])
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outline, -1, tone.tolist(), 1)
    box = np.clip(np.array(annotation["bbox"], np.float64), -1e5, 1e5)
    left, top, width, height = (round(v) for v in box.tolist())
    cv2.rectangle(picture, (left, top), (left + width - 1, top + height - 1), tone.tolist(), 1)
    text = plain(f"{annotation.get('color', '')} {names[annotation['category_id']]}"[:100])
    cv2.putText(picture, text, (left, max(top - 2, 8)), cv2.FONT_HERSHEY_PLAIN, 0.7, tone.tolist())


def _depth_picture(path: Path) -> _BGR:
    depth_mm = _read(path, cv2.IMREAD_UNCHANGED)
    near = np.clip(depth_mm / 2500 * 255, 0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(255 - near, cv2.COLORMAP_TURBO)
    picture[depth_mm == 0] = 0
    return picture
