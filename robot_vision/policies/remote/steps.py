"""Converts a server's action chunk to ours: tool steps or joint positions."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.types import RobotState
from robot_vision.datasets.episode_set import EpisodeActions
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.canonical import (
    Poses,
    Rows,
    gripper_open,
    joints_in,
    poses_in,
    step_from_to,
)
from robot_vision.datasets.meaning.columns import pick
from robot_vision.datasets.meaning.meaning import ActionMeaning, GripperColumn
from robot_vision.policies.pixels.history import joint_state
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.spec import AnsweredActions


def chunk_of(
    arrays: Mapping[str, np.ndarray], said: AnsweredActions, *, spec: ActionSpec, robot: RobotState
) -> Float64[np.ndarray, "t a"]:
    """Physical steps as in `spec`, relative to the observed arm.

    Raises `RemoteError` if arrays are missing or have the wrong shape, as from a server for
    another robot. Non-finite numbers stay: the safety filter counts and rejects them.
    """
    joined = np.concatenate([_rows(arrays, key, spec.horizon) for key in said.keys], axis=1)
    if joined.shape != (spec.horizon, said.width):
        raise RemoteError(
            f"the server returned {joined.shape[0]} steps of {joined.shape[1]} numbers; "
            f"policy.yaml expects {spec.horizon} of {said.width}: is the server for another "
            "robot?"
        )
    mean, scale = said.statistics.scale_of(said.width)
    actions = EpisodeActions(values=mean + scale * joined.astype(np.float64), names=())
    try:
        steps = _steps(said.meaning, actions, spec, robot)
        return np.concatenate([steps, _gripper(said.meaning.gripper, actions)], axis=1)
    except DatasetError as error:
        raise RemoteError(f"the server's actions: {error}") from error


def _rows(arrays: Mapping[str, np.ndarray], key: str, horizon: int) -> np.ndarray:
    """One array of the answer as [t, n]; leading axes of size 1 (a batch) are removed."""
    if key not in arrays:
        there = ", ".join(sorted(arrays)) or "none"
        raise RemoteError(f"the answer has no array {key!r}; available: {there}")
    array = arrays[key]
    if array.dtype.kind not in "biuf":
        raise RemoteError(f"array {key!r} of the answer holds {array.dtype}, expected numbers")
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 1:  # one step, or a column of numbers
        array = array[None] if horizon == 1 else array[:, None]
    if array.ndim != 2 or len(array) != horizon:
        raise RemoteError(
            f"array {key!r} of the answer has the shape {arrays[key].shape}; expected {horizon} "
            "steps"
        )
    return array


def _steps(
    meaning: ActionMeaning, actions: EpisodeActions, spec: ActionSpec, robot: RobotState
) -> Rows:
    if meaning.joints is not None:
        said = joints_in(meaning.joints, actions)
        if meaning.kind == "absolute":
            return said
        now = joint_state(robot, spec.joint_names)[:-1].astype(np.float64)
        return now + (said if meaning.delta_from == "tool" else np.cumsum(said, axis=0))
    assert meaning.tool is not None  # held by `ActionMeaning`
    said = poses_in(meaning.tool, actions)
    targets = said if meaning.kind == "absolute" else _targets(said, meaning, robot)
    before = np.concatenate([robot.base_from_tool[None], targets[:-1]])
    return step_from_to(before, targets)


def _targets(delta: Poses, meaning: ActionMeaning, robot: RobotState) -> Poses:
    """Targets of relative actions: each from the observed tool, or from the previous target."""
    targets, start = np.empty_like(delta), robot.base_from_tool
    for row, change in enumerate(delta):
        targets[row] = start @ change
        if meaning.axes == "base":
            targets[row, :3, :3] = change[:3, :3] @ start[:3, :3]
            targets[row, :3, 3] = start[:3, 3] + change[:3, 3]
        if meaning.delta_from != "tool":
            start = targets[row]
    return targets


def _gripper(meaning: GripperColumn | str, actions: EpisodeActions) -> Rows:
    if not isinstance(meaning, GripperColumn):
        return np.ones((len(actions.values), 1))
    values = pick(actions.values, [meaning.column], names=(), what="the actions")
    return gripper_open(meaning, values[:, 0])[:, None]
