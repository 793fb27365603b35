"""One moment of a demonstration, and the vectors that represent it in datasets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64
from scipy.spatial.transform import Rotation

from robot_vision.core.types import Frame, RobotState


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """The observation and action at one stamp of a dataset's grid.

    `robot` is the arm at the first camera's frame. `action` leads from the previous target to
    `base_from_target`, which is for the next stamp: Δxyz m, Δrotation vector rad (base axes,
    R' = exp(Δ) R) and gripper 0 closed to 1 open. A camera with unknown pose is not in
    `base_from_camera`. `taught` is what should be done from here on, if another agent led:
    steps of the same kind, the first from the observed tool.
    """

    stamp_ns: int
    frames: Mapping[str, Frame]
    robot: RobotState
    action: Float64[np.ndarray, "7"]
    base_from_target: Float64[np.ndarray, "4 4"]
    base_from_camera: Mapping[str, Float64[np.ndarray, "4 4"]] = field(default_factory=dict)
    taught: Float32[np.ndarray, "t 7"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Step(Sample):
    """A sample read back, with its episode and its index in it."""

    episode_index: int
    frame_index: int
    instruction: str
    is_last: bool


def state_vector(robot: RobotState) -> Float32[np.ndarray, " n"]:
    """`observation.state`: joints rad, tool position m, its x and y axes, gripper."""
    parts = (robot.joint_position_rad, pose_vector(robot.base_from_tool), [robot.gripper_open])
    return np.concatenate(parts).astype(np.float32)


def robot_from_state(stamp_ns: int, state: Float32[np.ndarray, " n"]) -> RobotState:
    """The arm described by `state_vector`."""
    exact = state.astype(np.float64)
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=exact[:-10],
        base_from_tool=pose_from_vector(exact[-10:-1]),
        gripper_open=float(exact[-1]),
    )


def pose_vector(a_from_b: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "9"]:
    """Position, then the x and the y axis of b in a."""
    return np.concatenate([a_from_b[:3, 3], a_from_b[:3, 0], a_from_b[:3, 1]])


def pose_from_vector(vector: Float64[np.ndarray, "9"]) -> Float64[np.ndarray, "4 4"]:
    """The rigid transform of `pose_vector`; axes are made orthonormal (Gram-Schmidt)."""
    x_axis = vector[3:6] / np.linalg.norm(vector[3:6])
    y_axis = vector[6:9] - (x_axis @ vector[6:9]) * x_axis
    y_axis /= np.linalg.norm(y_axis)
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=1)
    a_from_b[:3, 3] = vector[:3]
    return a_from_b


def step_between(
    base_from_before: Float64[np.ndarray, "4 4"],
    base_from_after: Float64[np.ndarray, "4 4"],
    gripper_open: float,
) -> Float64[np.ndarray, "7"]:
    """The action from one target to the next."""
    turn = base_from_after[:3, :3] @ base_from_before[:3, :3].T
    move = base_from_after[:3, 3] - base_from_before[:3, 3]
    return np.concatenate([move, Rotation.from_matrix(turn).as_rotvec(), [gripper_open]])


def stepped(
    base_from_before: Float64[np.ndarray, "4 4"], action: Float64[np.ndarray, "7"]
) -> Float64[np.ndarray, "4 4"]:
    """The target after an action; the inverse of `step_between`."""
    base_from_after = np.eye(4)
    turn = Rotation.from_rotvec(action[3:6]).as_matrix()
    base_from_after[:3, :3] = turn @ base_from_before[:3, :3]
    base_from_after[:3, 3] = base_from_before[:3, 3] + action[:3]
    return base_from_after
