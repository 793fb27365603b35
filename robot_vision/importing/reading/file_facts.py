"""Facts stated by a model's file and the files beside it.

Ultralytics writes `names`, `imgsz`, `stride`, `task` and `args`, for pose models `kpt_shape` and
`kpt_names`, into ONNX metadata as the text of Python literals (its `engine/exporter.py`); Hugging
Face keeps `config.json` and `preprocessor_config.json` beside the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ForeignFileError, RobotVisionError
from robot_vision.core.files.foreign import MOST_YAML_BYTES, parse_yaml, quoted, read_json
from robot_vision.importing.reading.class_names import names_of

_MOST_KEYPOINTS = 1000
_ULTRALYTICS_IMAGE = {
    "color": "rgb",
    "resize": "letterbox",
    "scale": 1 / 255,
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """Facts and their sources. `image` has fields of `ModelInput`; unstated fields are empty.

    `has_nms`: suppression is in the graph. `faults` name facts that could not be read.
    """

    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    keypoint_count: int = 0
    size_px: tuple[int, int] | None = None
    task: str = ""
    has_nms: bool = False
    image: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def read_facts(model_file: Path, metadata: Mapping[str, str]) -> FileFacts:
    """Facts from the file's own `metadata`, else from files beside it."""
    found = _Reader()
    found.ultralytics(metadata)
    for name, take in (
        ("config.json", found.hugging_face),
        ("preprocessor_config.json", found.hugging_face_pictures),
    ):
        path = model_file.parent / name
        if path.is_file():
            found.take(path, take)
    return FileFacts(**found.values, sources=tuple(found.sources), faults=tuple(found.faults))


class _Reader:
    """Gathers values; the first of a kind counts."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: list[str] = []
        self.faults: list[str] = []

    def ultralytics(self, metadata: Mapping[str, str]) -> None:
        if "names" not in metadata and "imgsz" not in metadata:
            return
        before = len(self.values)
        self._put("classes", metadata, "names", lambda v: names_of(v, what="names"))
        self._put("size_px", metadata, "imgsz", _width_height_px)
        self._put("keypoint_count", metadata, "kpt_shape", _count_of)
        self._put("keypoints", metadata, "kpt_names", _keypoint_names)
        self._put("has_nms", metadata, "args", lambda v: bool(v.get("nms")))
        self._put("has_nms", metadata, "end2end", bool)
        if metadata.get("task"):
            self.values["task"] = metadata["task"][:40]
        if "stride" in metadata or "Ultralytics" in metadata.get("author", ""):
            self.values["image"] = _ULTRALYTICS_IMAGE
        if len(self.values) > before:
            self.sources.append("its metadata (Ultralytics)")

    def take(self, path: Path, read: Any) -> None:
        try:
            content = read_json(path, most_bytes=MOST_YAML_BYTES)
            if not isinstance(content, dict):
                raise ForeignFileError(f"{path}: expected an object")
            read(content)
        except (RobotVisionError, TypeError, ValueError) as error:
            self.faults.append(f"{path.name} beside it was not used: {error}")
        else:
            self.sources.append(f"{path.name} beside it")

    def hugging_face(self, config: Mapping[str, Any]) -> None:
        if "id2label" in config:
            self.values.setdefault("classes", names_of(config["id2label"], what="id2label"))

    def hugging_face_pictures(self, config: Mapping[str, Any]) -> None:
        size = config.get("size")
        if isinstance(size, dict) and {"width", "height"} <= size.keys():
            self.values.setdefault("size_px", (int(size["width"]), int(size["height"])))
        image: dict[str, Any] = {"color": "rgb"}
        image["scale"] = float(config.get("rescale_factor", 1 / 255))
        if not config.get("do_rescale", True):
            image["scale"] = 1.0
        if config.get("do_normalize", True) and "image_mean" in config:
            image["mean"] = _three(config["image_mean"])
            image["std"] = _three(config["image_std"])
        else:
            image |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        self.values.setdefault("image", image)

    def _put(self, field: str, metadata: Mapping[str, str], key: str, read: Any) -> None:
        if key not in metadata or self.values.get(field):
            return
        try:
            self.values[field] = read(_literal(metadata[key], key))
        except (RobotVisionError, AttributeError, TypeError, ValueError) as error:
            self.faults.append(f"its metadata {key!r} was not used: {error}")


def _literal(text: str, key: str) -> Any:
    """Python's lists and dictionaries of numbers and words are also YAML: nothing is evaluated."""
    return parse_yaml(text, what=key)


def _width_height_px(value: Any) -> tuple[int, int]:
    """Ultralytics' `imgsz` is height and width, or one number for both."""
    height, width = (value, value) if isinstance(value, int) else value
    return int(width), int(height)


def _count_of(value: Any) -> int:
    """`kpt_shape`: the number of keypoints, and 2 (x, y) or 3 (with a score) values for each."""
    count, numbers = value
    if not 0 < int(count) <= _MOST_KEYPOINTS or numbers not in (2, 3):
        raise ValueError(f"{quoted(value)}, expected [keypoints, 2 or 3]")
    return int(count)


def _keypoint_names(value: Any) -> tuple[str, ...]:
    """`kpt_names` has a list of names by class; they must be the same for all."""
    by_class = list(value.values())
    if not by_class or any(names != by_class[0] for names in by_class):
        raise ValueError("its classes have different keypoint names, expected the same for all")
    return names_of(by_class[0], what="kpt_names")


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
