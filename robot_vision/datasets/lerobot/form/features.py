"""The kind of a feature in `info.json`: colour, depth or numbers; its names, its size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError

IMAGES = ("video", "image")
_PREFIX = "observation.images."
_FLAGS = ("is_depth_map", "video.is_depth_map")
_CHANNELS = ("channel", "channels", "c", "rgb")
_CHANNEL_COUNTS = (1, 3, 4)


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera of a dataset: the features of its colour and its depth; empty for none."""

    name: str
    colour: str
    depth: str = ""


def is_image(feature: Mapping[str, Any]) -> bool:
    return feature["dtype"] in IMAGES


def is_depth(name: str, feature: Mapping[str, Any]) -> bool:
    """Whether a feature is depth: by LeRobot's flag, else by its name and single channel.

    A video without the flag is only a picture of depth: the meaning of its brightness is unknown.
    """
    if not is_image(feature):
        return False
    declared = [feature.get("info"), feature.get("video_info")]
    if any(isinstance(info, dict) and info.get(flag) for info in declared for flag in _FLAGS):
        return True
    is_named = feature["dtype"] == "image" and "depth" in name.lower()
    return is_named and image_shape(feature)[2:] == (1,)


def image_shape(feature: Mapping[str, Any]) -> tuple[int, ...]:
    """Height and width, and channels if the shape has them, in either order."""
    shape = tuple(feature["shape"])
    if len(shape) != 3:
        return shape
    # Shapes are more reliable than names, which some converters do not update.
    first, last = shape[0] in _CHANNEL_COUNTS, shape[2] in _CHANNEL_COUNTS
    if first and last:
        first = next(words_of(feature.get("names")), "") in _CHANNELS
    return (*shape[1:], shape[0]) if first else shape


def views_of(features: Mapping[str, Mapping[str, Any]]) -> tuple[View, ...]:
    """The cameras, each with the depth whose name differs only in that word."""
    images = [name for name, feature in features.items() if is_image(feature)]
    depths = {_plain(name): name for name in images if is_depth(name, features[name])}
    return tuple(
        View(name=name.removeprefix(_PREFIX), colour=name, depth=depths.get(_plain(name), ""))
        for name in images
        if not is_depth(name, features[name])
    )


def view_called(name: str, features: Mapping[str, Mapping[str, Any]]) -> View:
    """The camera with this name or feature; raises `DatasetError` with the choices."""
    views = views_of(features)
    for view in views:
        if name in (view.name, view.colour):
            return view
    choices = ", ".join(view.name for view in views) or "none"
    raise DatasetError(f"no camera {quoted(name)} in the dataset; it has: {choices}")


def words_of(names: object) -> Iterator[str]:
    """A feature's names for its numbers: LeRobot's sets have lists, dicts, or both."""
    waiting = [names]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += reversed(_listed(item))
        elif isinstance(item, list):
            waiting += reversed(item)
        elif item is not None:
            yield str(item)


def _listed(named: dict[Any, Any]) -> list[Any]:
    """The values, or the keys in order if the values are their columns: `{"x": 0, "y": 1}`."""
    columns = list(named.values())
    if all(isinstance(column, int) and not isinstance(column, bool) for column in columns):
        return sorted(named, key=named.__getitem__)
    return columns


def _plain(name: str) -> str:
    """A name without the part that marks colour or depth."""
    words = name.lower().replace(".", "_").split("_")
    return "_".join(w for w in words if w not in ("depth", "rgb", "color", "colour", "image"))
