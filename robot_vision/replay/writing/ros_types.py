"""ROS 2 messages without ROS: made from nested values, every other field at its default."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

# vision_msgs 4 (Humble and later), from the message files of ros-perception/vision_msgs.
VISION_MSGS = {
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "Classification": "std_msgs/Header header\nvision_msgs/ObjectHypothesis[] results",
    "VisionClass": "uint16 class_id\nstring class_name",
    "LabelInfo": (
        "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold"
    ),
    "ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose"
    ),
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "BoundingBox3D": "geometry_msgs/Pose center\ngeometry_msgs/Vector3 size",
    "Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox2D bbox\nstring id"
    ),
    "Detection3D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox3D bbox\nstring id"
    ),
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
    "Detection3DArray": "std_msgs/Header header\nvision_msgs/Detection3D[] detections",
}


@lru_cache(maxsize=1)
def output_types() -> Any:
    """The messages of ROS 2 Jazzy and those of `vision_msgs` that the node publishes."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for name, definition in VISION_MSGS.items():
        types.update(get_types_from_msg(definition, f"vision_msgs/msg/{name}"))
    store.register(types)
    return store


# Type descriptions of rosbags have no defaults other than zero.
_OTHER_DEFAULTS: dict[str, dict[str, Any]] = {"geometry_msgs/msg/Quaternion": {"w": 1.0}}


def make(type_name: str, values: dict[str, Any]) -> Any:
    """A message of `type_name`; nested dicts become nested messages, lists of them sequences."""
    message_class, fields = _fields_of(type_name)
    return message_class(
        **{
            name: _given(description, values[name]) if name in values else default()
            for name, (description, default) in fields.items()
        }
    )


@lru_cache(maxsize=256)
def _fields_of(type_name: str) -> tuple[Any, dict[str, tuple[Any, Callable[[], Any]]]]:
    """The class of a message; its fields with their descriptions and what makes their defaults."""
    store = output_types()
    other = _OTHER_DEFAULTS.get(type_name, {})
    fields = {
        name: (description, _constant(other[name]) if name in other else _default(description))
        for name, description in store.fielddefs[type_name][1]
    }
    return store.types[type_name], fields


def _given(description: Any, value: Any) -> Any:
    kind, detail = description
    if kind == Nodetype.NAME:
        return make(detail, value)
    if kind in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        (inner_kind, inner), _ = detail
        if inner_kind == Nodetype.NAME:
            return [make(inner, item) for item in value]
        return np.asarray(value, _dtype(inner[0])) if inner[0] != "string" else list(value)
    return value


def _default(description: Any) -> Callable[[], Any]:
    kind, detail = description
    if kind == Nodetype.NAME:
        return partial(make, detail, {})
    if kind == Nodetype.BASE:
        return _constant({"string": "", "bool": False}.get(detail[0], 0))
    (inner_kind, inner), length = detail
    count = length if kind == Nodetype.ARRAY else 0
    if inner_kind == Nodetype.NAME:
        return lambda: [make(inner, {}) for _ in range(count)]
    if inner[0] == "string":
        return lambda: [""] * count
    return partial(np.zeros, count, _dtype(inner[0]))


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _dtype(name: str) -> str:
    return {"octet": "uint8", "char": "uint8"}.get(name, name)
