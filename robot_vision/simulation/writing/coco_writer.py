"""Training sets on disk: COCO annotations, colour as JPEG, depth as 16-bit PNG (millimetres).

Each scene's frames are written with a part file `parts/%06d.json`, last: a scene with a part file
is complete. `merge_parts` joins them into `annotations.json`, at any time.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32
from pycocotools import mask as coco_mask

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import quoted, read_json
from robot_vision.simulation.content.palette import CLASS_NAMES, COLOR_NAMES, Split
from robot_vision.simulation.picture.frame import LabelledFrame
from robot_vision.simulation.picture.truth import MIN_VISIBLE_PX, MIN_VISIBLE_SHARE, Truth
from robot_vision.simulation.writing.captions import with_captions

ANNOTATIONS = "annotations.json"
_MOST_BYTES = 2**30
_FOLDERS = ("rgb", "depth", "depth_true", "parts")
_MAX_ANNOTATIONS = 100  # per image: leaves room for stable annotation ids


def prepare_set(folder: Path) -> None:
    """Make the folders of a set; raises `ConfigError` if they cannot be made."""
    try:
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write a set to {folder}: {error}") from error


def part_file(folder: Path, scene_index: int) -> Path:
    """The file with the annotations of a scene."""
    return folder / "parts" / f"{scene_index:06d}.json"


def write_part(
    folder: Path, scene_index: int, frames: dict[int, LabelledFrame], *, seed: int
) -> None:
    """Write a scene's frames by number; the part file is written last and atomically."""
    images, annotations = [], []
    for number, frame in frames.items():
        images.append(_write_frame(folder, number, frame, seed=seed))
        for row, truth in enumerate(frame.truths):
            annotations.append(_annotation(number, row, truth, frame))
    _write_json(part_file(folder, scene_index), {"images": images, "annotations": annotations})


def merge_parts(folder: Path, *, split: Split) -> int:
    """Join all part files into `annotations.json`, with captions; returns the number of images."""
    images, annotations = [], []
    for path in sorted((folder / "parts").glob("*.json")):
        part = json.loads(path.read_text())
        images += part["images"]
        annotations += part["annotations"]
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(CLASS_NAMES)]
    info = {
        "description": "robot_vision procedural tabletops",
        "colors": list(COLOR_NAMES),
        "ignore_rule": f"iscrowd=1 below {MIN_VISIBLE_PX} visible px or "
        f"{MIN_VISIBLE_SHARE:.0%} of the silhouette",
    }
    content = {
        "info": info, "images": images, "annotations": annotations, "categories": categories
    }  # fmt: skip
    _write_json(folder / ANNOTATIONS, with_captions(content, split=split))
    return len(images)


def rewrite_captions(folder: Path, *, split: Split) -> int:
    """Rewrite the captions of a generated set; returns their number.

    Raises `ConfigError` if the folder has no set from whose ground truth captions can be made.
    """
    file = folder / ANNOTATIONS
    try:
        content = with_captions(read_json(file, most_bytes=_MOST_BYTES), split=split)
    except (ForeignFileError, KeyError, TypeError) as error:
        raise ConfigError(
            f"cannot make captions of {file}: {quoted(repr(error))}; expected a set of "
            "`robot-vision scenes generate`"
        ) from error
    _write_json(file, content)
    return len(content["captions"])


def depth_png(depth_m: Float32[np.ndarray, "h w"]) -> bytes:
    """16-bit PNG in millimetres, 0 for no depth or more than 65.5 m."""
    depth_mm = np.rint(depth_m * 1000)
    depth_mm[(depth_mm > 65535) | ~np.isfinite(depth_mm)] = 0
    # data with few distinct steps compress better and faster without PNG's prediction filters
    options = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    _, data = cv2.imencode(".png", depth_mm.astype(np.uint16), options)
    return data.tobytes()


def _write_frame(folder: Path, number: int, frame: LabelledFrame, *, seed: int) -> dict[str, Any]:
    names = {
        "file_name": f"rgb/{number:06d}.jpg",
        "depth_file": f"depth/{number:06d}.png",
        "depth_true_file": f"depth_true/{number:06d}.png",
    }
    quality = [cv2.IMWRITE_JPEG_QUALITY, frame.jpeg_quality]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR), quality)
    (folder / names["file_name"]).write_bytes(jpeg.tobytes())
    (folder / names["depth_file"]).write_bytes(depth_png(frame.depth_m))
    (folder / names["depth_true_file"]).write_bytes(depth_png(frame.depth_true_m))
    camera = frame.viewpoint.camera
    return {
        "id": number + 1,
        **names,
        "width": camera.width_px,
        "height": camera.height_px,
        "intrinsics_px": [camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px],
        "camera_from_world": frame.viewpoint.camera_from_world.round(6).tolist(),
        "seed": seed,
    }


def _annotation(number: int, row: int, truth: Truth, frame: LabelledFrame) -> dict[str, Any]:
    left, top, right, bottom = truth.box_xyxy_px.tolist()
    rle: Any = coco_mask.encode(np.asfortranarray(truth.mask.astype(np.uint8)))
    return {
        "id": number * _MAX_ANNOTATIONS + row + 1,
        "image_id": number + 1,
        "category_id": CLASS_NAMES.index(truth.class_name) + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": int(truth.mask.sum()),
        "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode()},
        "iscrowd": int(truth.ignore),
        "color": frame.look.color_names[truth.item_index],
        "visible_share": round(truth.visible_share, 4),
        "camera_from_object": truth.camera_from_object.round(6).tolist(),
        "track_id": truth.item_index,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Write under another name, then rename: readers see the complete file or none."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content))
    draft.replace(path)
