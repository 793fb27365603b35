"""Inputs of a policy's network, field by field: tokens of objects, the view and the arm.

Missing values are zero, with a flag. Lengths are metres in base axes unless a name says otherwise.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.policies.observing.color_features import LIGHT_WIDTH, SHADES
from robot_vision.policies.observing.surface import HEIGHT_CELLS

MAX_OBJECTS = 16
# Pointing candidates after the objects: the held object, and none.
HAND, NONE = MAX_OBJECTS, MAX_OBJECTS + 1
POINTABLE = MAX_OBJECTS + 2
MAX_CLASSES = 10
FEATURES = 64
VISUAL_ROWS, VISUAL_COLUMNS = 7, 9

# Fields that the action head receives of the chosen object, then fields that distinguish objects.
GEOMETRY_FIELDS = {
    "centre": 3,
    "centre_from_tool": 3,
    "centre_in_tool": 3,
    "lifted_from_centre": 3,
    "ground_from_tool": 4,
    "top_and_low": 2,
    "spread": 3,
    "axis": 2,
    "axis_from_tool": 2,
    "extent": 2,
    "sides": 4,
    "velocity": 3,
    "size": 3,
    "box": 4,
    "age_and_unseen": 2,
    "score": 1,
    "has_surface": 1,
    "has_position": 1,
    "coasting": 1,
    "confirmed": 1,
}
LOOK_FIELDS = {
    "class_score": MAX_CLASSES,
    "color": 3,
    "chroma": 3,
    "clipped": 1,
    "shades": 3 * SHADES,
    "around": 3,
    "light": LIGHT_WIDTH,
    "appearance": FEATURES,
    "heights": HEIGHT_CELLS * HEIGHT_CELLS,
}
VISUAL_FIELDS = {"features": FEATURES, "place": 3, "has_place": 1}
HISTORY_FIELDS = {"was": 1, "moved": 3, "turned": 3, "gripper": 1}
ROBOT_FIELDS = {"tool": 3, "rotation": 6, "yaw": 2, "gripper": 1}


def slices_of(fields: dict[str, int]) -> dict[str, slice]:
    """The slice of each field in a token."""
    ends = np.cumsum(list(fields.values())).tolist()
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(fields.items(), ends, strict=True)
    }


OBJECT_SLICES = slices_of(GEOMETRY_FIELDS | LOOK_FIELDS)
VISUAL_SLICES = slices_of(VISUAL_FIELDS)
ROBOT_SLICES = slices_of(ROBOT_FIELDS)
GEOMETRY_WIDTH = sum(GEOMETRY_FIELDS.values())
OBJECT_WIDTH = GEOMETRY_WIDTH + sum(LOOK_FIELDS.values())
VISUAL_WIDTH = sum(VISUAL_FIELDS.values())
HISTORY_WIDTH = sum(HISTORY_FIELDS.values())
_MEASURED_BY_DEPTH = (
    "lifted_from_centre",
    "top_and_low",
    "spread",
    "axis",
    "axis_from_tool",
    "extent",
    "sides",
    "velocity",
    "size",
    "has_surface",
    "has_position",
    "heights",
)
# Assumed height of an object's centre if only its box is known.
USUAL_HEIGHT_M = 0.03


def robot_width(history: int) -> int:
    """Width of the robot token with this many states of history."""
    return sum(ROBOT_FIELDS.values()) + history * HISTORY_WIDTH


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyInputs:
    """The network's inputs for one observation. Rows of `objects` past the tracks are zero."""

    objects: Float32[np.ndarray, "n o"]
    present: Bool[np.ndarray, " n"]
    track_id: Int64[np.ndarray, " n"]
    visual: Float32[np.ndarray, "cells v"]
    has_visual: bool
    robot: Float32[np.ndarray, " r"]


def base_from_tool_axes(robot: Float32[np.ndarray, "*b r"]) -> Float32[np.ndarray, "*b 3 3"]:
    """The tool's axes as columns, from robot tokens."""
    rows = robot[..., ROBOT_SLICES["rotation"]].reshape(*robot.shape[:-1], 2, 3)
    rows = np.concatenate([rows, np.cross(rows[..., :1, :], rows[..., 1:, :])], axis=-2)
    return np.swapaxes(rows, -1, -2)


def without_depth(
    objects: Float32[np.ndarray, "*b n o"],
    visual: Float32[np.ndarray, "*b cells v"],
    robot: Float32[np.ndarray, "*b r"],
) -> tuple[Float32[np.ndarray, "*b n o"], Float32[np.ndarray, "*b cells v"]]:
    """Object and visual tokens as without measured depth, computed from those with depth.

    Positions are then where lines of sight meet the table. For training; features and scores stay
    those of a frame with depth.
    """
    objects, visual = objects.copy(), visual.copy()
    at = {name: objects[..., place] for name, place in OBJECT_SLICES.items()}
    tool = robot[..., None, ROBOT_SLICES["tool"]]
    for name in _MEASURED_BY_DEPTH:
        at[name][:] = 0
    seen = np.any(objects != 0, axis=-1, keepdims=True)
    at["centre_from_tool"][..., :2] = at["ground_from_tool"][..., :2]
    at["centre_from_tool"][..., 2:] = (USUAL_HEIGHT_M - tool[..., 2:]) * seen
    at["centre"][:] = (at["centre_from_tool"] + tool) * seen
    at["centre_in_tool"][:] = at["centre_from_tool"] @ base_from_tool_axes(robot)
    visual[..., VISUAL_SLICES["place"]] = 0
    visual[..., VISUAL_SLICES["has_place"]] = 0
    return objects, visual
