"""Converts our numbers to a dataset's: the inverse of `canonical`, row by row."""

import numpy as np

from robot_vision.datasets.meaning.canonical import Observed, Poses, Rows, moved_by
from robot_vision.datasets.meaning.meaning import (
    ActionMeaning,
    GripperColumn,
    PoseColumns,
    StateMeaning,
)
from robot_vision.datasets.meaning.rotations import numbers_of


def foreign_actions(action: ActionMeaning, first: Rows, observed: Observed) -> dict[str, Rows]:
    """The equivalent columns of each part (`position`, `rotation`, `joints`, `gripper`).

    `first` leads from the `observed` state in its row; deltas are from the observed tool.
    """
    parts = _foreign_gripper(action.gripper, first[:, -1])
    if action.joints is not None:
        joints = first[:, :-1]
        if action.kind == "delta":
            assert observed.joints is not None  # guaranteed by `Meaning`
            joints = joints - observed.joints
        return parts | {"joints": joints / action.joints.radians}
    assert action.tool is not None
    if action.kind == "absolute":
        assert observed.base_from_tool is not None
        return parts | foreign_poses(action.tool, moved_by(observed.base_from_tool, first))
    still = np.tile(np.eye(4), (len(first), 1, 1))
    delta = moved_by(still, first)
    if action.axes == "tool":
        assert observed.base_from_tool is not None
        delta = _in_tool_axes(delta, observed.base_from_tool)
    return parts | foreign_poses(action.tool, delta)


def foreign_state(state: StateMeaning, observed: Observed) -> dict[str, Rows]:
    """The equivalent columns of each part of a state."""
    parts: dict[str, Rows] = {}
    if state.gripper is not None and observed.gripper is not None:
        parts |= _foreign_gripper(state.gripper, observed.gripper)
    if state.tool is not None and observed.base_from_tool is not None:
        parts |= foreign_poses(state.tool, observed.base_from_tool)
    if state.joints is not None and observed.joints is not None:
        parts["joints"] = observed.joints / state.joints.radians
    return parts


def foreign_poses(pose: PoseColumns, poses: Poses) -> dict[str, Rows]:
    """Poses [n,4,4] as `position` [n,3] and `rotation` [n,k] in a dataset's units."""
    turns = numbers_of(poses[:, :3, :3], rotation=pose.rotation, radians=pose.radians)
    return {"position": poses[:, :3, 3] / pose.metres, "rotation": turns}


def _in_tool_axes(delta: Poses, base_from_tool: Poses) -> Poses:
    tool_from_base = base_from_tool[:, :3, :3].transpose(0, 2, 1)
    turned = delta.copy()
    turned[:, :3, 3] = np.einsum("nij,nj->ni", tool_from_base, delta[:, :3, 3])
    turned[:, :3, :3] = tool_from_base @ delta[:, :3, :3] @ base_from_tool[:, :3, :3]
    return turned


def _foreign_gripper(meaning: GripperColumn | str, opened: np.ndarray) -> dict[str, Rows]:
    if not isinstance(meaning, GripperColumn):
        return {}
    return {"gripper": (meaning.closed + opened * (meaning.open - meaning.closed))[:, None]}
