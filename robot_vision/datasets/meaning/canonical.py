"""Converts foreign numbers to ours: the state, the step of each row, and chunks of steps.

Ours are those of `core/manifests/action_spec.py`: a step of the tool is Δxyz (m) and a rotation
vector (rad) in the axes of the base, R' = exp(Δ) R, and the gripper 0 closed to 1 open; a step of
the joints is their positions and the gripper.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from robot_vision.datasets.episode_set import EpisodeActions, EpisodeState
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.columns import pick
from robot_vision.datasets.meaning.meaning import (
    ActionMeaning,
    GripperColumn,
    JointColumns,
    Meaning,
    PoseColumns,
    StateMeaning,
)
from robot_vision.datasets.meaning.rotations import matrices_of, vectors_of

Rows = Float64[np.ndarray, "n _"]
Poses = Float64[np.ndarray, "n 4 4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """The arm in each row; None for whatever the set lacks. `gripper` is 0 closed, 1 open."""

    base_from_tool: Poses | None = None
    joints: Rows | None = None
    gripper: Float64[np.ndarray, " n"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class CanonicalEpisode:
    """`first` is a row's step from the observed state there, `step` that from the target of
    the previous row: a chunk is its row's `first`, then the `step` of the rows after it.
    `is_given` is false if the set has no action for a row.
    """

    observed: Observed
    first: Rows
    step: Rows
    is_given: Bool[np.ndarray, " n"]

    @property
    def gripper(self) -> Float64[np.ndarray, " n"]:
        """As observed; otherwise the command of the previous row."""
        if self.observed.gripper is not None:
            return self.observed.gripper
        commanded = self.step[:, -1]
        return np.concatenate([commanded[:1], commanded[:-1]])


def canonical(
    meaning: Meaning, actions: EpisodeActions, state: EpisodeState | None
) -> CanonicalEpisode:
    """An episode in our numbers; NaN where the set has NaN or an invalid rotation.

    Raises `DatasetError` if columns are missing, or a state that `meaning` declares.
    """
    observed = observed_in(meaning.state, state)
    action = meaning.action
    values, given = _shifted(actions.values, action.shift_steps)
    moved = EpisodeActions(values=values, names=actions.names)
    if action.joints is not None:
        first = step = _joint_targets(action, action.joints, moved, observed)
    else:
        assert action.tool is not None
        first, step = _tool_steps(action, action.tool, moved, observed)
    gripper = _gripper(action.gripper, moved)[:, None]
    return CanonicalEpisode(
        observed=observed,
        first=np.concatenate([first, gripper], axis=1),
        step=np.concatenate([step, gripper], axis=1),
        is_given=given,
    )


def chunks_of(
    episode: CanonicalEpisode, horizon: int
) -> tuple[Float64[np.ndarray, "n t a"], Bool[np.ndarray, "n t"]]:
    """The next `horizon` steps of each row, and which of them the episode contains.

    Steps beyond the end repeat the last row and are marked invalid.
    """
    count = len(episode.step)
    rows = np.arange(count)[:, None] + np.arange(horizon)
    inside = np.minimum(rows, count - 1)
    action = episode.step[inside]
    action[:, 0] = episode.first
    return action, (rows < count) & episode.is_given[inside]


def observed_in(meaning: StateMeaning | None, state: EpisodeState | None) -> Observed:
    """The arm as in the set; raises `DatasetError` if it should have one but does not."""
    if meaning is None:
        return Observed()
    if state is None:
        raise DatasetError("the meaning has a state, the dataset has none; leave `state` out")
    return Observed(
        base_from_tool=None if meaning.tool is None else poses_in(meaning.tool, state),
        joints=None if meaning.joints is None else joints_in(meaning.joints, state),
        gripper=None if meaning.gripper is None else _gripper(meaning.gripper, state),
    )


def poses_in(pose: PoseColumns, numbers: EpisodeActions | EpisodeState) -> Poses:
    """Poses, or changes of pose, from columns: [n,4,4]."""
    names, what = numbers.names, _what(numbers)
    position = pick(numbers.values, pose.position, names=names, what=what)
    turns = pick(numbers.values, pose.rotation_columns, names=names, what=what)
    poses = np.tile(np.eye(4), (len(position), 1, 1))
    poses[:, :3, 3] = position * pose.metres
    poses[:, :3, :3] = matrices_of(turns, rotation=pose.rotation, radians=pose.radians)
    return poses


def joints_in(joints: JointColumns, numbers: EpisodeActions | EpisodeState) -> Rows:
    """Positions of joints, or changes of them, in rad (m of a slide)."""
    what = _what(numbers)
    return pick(numbers.values, joints.columns, names=numbers.names, what=what) * joints.radians


def gripper_open(
    meaning: GripperColumn, values: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """0 closed to 1 open; values outside the range are clipped."""
    return np.clip((values - meaning.closed) / (meaning.open - meaning.closed), 0.0, 1.0)


def step_from_to(base_from_before: Poses, base_from_after: Poses) -> Rows:
    """The change from pose to pose in base axes: Δxyz and rotation vector [n,6]."""
    turn = base_from_after[:, :3, :3] @ base_from_before[:, :3, :3].transpose(0, 2, 1)
    move = base_from_after[:, :3, 3] - base_from_before[:, :3, 3]
    return np.concatenate([move, vectors_of(turn)], axis=1)


def moved_by(base_from_before: Poses, step: Rows) -> Poses:
    """Poses after steps [n,6] of the base's axes; the inverse of `step_from_to`."""
    after = np.tile(np.eye(4), (len(step), 1, 1))
    turn = matrices_of(step[:, 3:6], rotation="rotation_vector")
    after[:, :3, :3] = turn @ base_from_before[:, :3, :3]
    after[:, :3, 3] = base_from_before[:, :3, 3] + step[:, :3]
    return after


def _tool_steps(
    action: ActionMeaning, pose: PoseColumns, actions: EpisodeActions, observed: Observed
) -> tuple[Rows, Rows]:
    said = poses_in(pose, actions)
    if action.kind == "absolute":
        return _from_targets(said, observed)
    if action.axes == "tool":
        assert observed.base_from_tool is not None  # guaranteed by `Meaning`
        said = _in_base_axes(said, observed.base_from_tool)
    delta = np.concatenate([said[:, :3, 3], vectors_of(said[:, :3, :3])], axis=1)
    if action.delta_from == "chained":
        return delta, delta
    assert observed.base_from_tool is not None
    if action.delta_from == "tool":
        return _from_targets(moved_by(observed.base_from_tool, delta), observed)
    return _from_targets(_integrated(observed.base_from_tool[0], delta), observed)


def _from_targets(base_from_target: Poses, observed: Observed) -> tuple[Rows, Rows]:
    assert observed.base_from_tool is not None
    first = step_from_to(observed.base_from_tool, base_from_target)
    step = first.copy()
    step[1:] = step_from_to(base_from_target[:-1], base_from_target[1:])
    return first, step


def _in_base_axes(tool_delta: Poses, base_from_tool: Poses) -> Poses:
    """Changes in the tool's axes, T' = T Δ, as changes in the base's."""
    axes = base_from_tool[:, :3, :3]
    turned = tool_delta.copy()
    turned[:, :3, 3] = np.einsum("nij,nj->ni", axes, tool_delta[:, :3, 3])
    turned[:, :3, :3] = axes @ tool_delta[:, :3, :3] @ axes.transpose(0, 2, 1)
    return turned


def _integrated(base_from_start: Float64[np.ndarray, "4 4"], delta: Rows) -> Poses:
    targets = np.empty((len(delta), 4, 4))
    pose = base_from_start[None]
    for row in range(len(delta)):
        pose = moved_by(pose, delta[row : row + 1])
        targets[row] = pose[0]
    return targets


def _joint_targets(
    action: ActionMeaning, joints: JointColumns, actions: EpisodeActions, observed: Observed
) -> Rows:
    said = joints_in(joints, actions)
    if action.kind == "absolute":
        return said
    assert observed.joints is not None  # guaranteed by `Meaning`
    if action.delta_from == "target":
        return observed.joints[0] + np.cumsum(said, axis=0)
    return observed.joints + said


def _gripper(
    meaning: GripperColumn | str, numbers: EpisodeActions | EpisodeState
) -> Float64[np.ndarray, " n"]:
    if not isinstance(meaning, GripperColumn):
        return np.ones(len(numbers.values))
    columns = [meaning.column]
    values = pick(numbers.values, columns, names=numbers.names, what=_what(numbers))
    return gripper_open(meaning, values[:, 0])


def _shifted(values: Rows, shift: int) -> tuple[Rows, Bool[np.ndarray, " n"]]:
    """The row `shift` later, and whether the episode has it."""
    rows = np.arange(len(values)) + shift
    inside = np.clip(rows, 0, len(values) - 1)
    return values[inside], rows == inside


def _what(numbers: EpisodeActions | EpisodeState) -> str:
    return "the actions" if isinstance(numbers, EpisodeActions) else "the state"
