"""The token of the arm: the tool's pose, the gripper and the recent motion."""

import cv2
import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.types import RobotState
from robot_vision.policies.observing.tokens import HISTORY_WIDTH


def robot_token(
    robot: RobotState, earlier: tuple[RobotState, ...], history: int
) -> Float32[np.ndarray, " r"]:
    """The tool and its recent motion: the latest state of the history first."""
    pose = robot.base_from_tool
    yaw = tool_yaw(pose)
    parts = [pose[:3, 3], pose[:3, :2].T.ravel(), [np.cos(2 * yaw), np.sin(2 * yaw)]]
    parts.append([robot.gripper_open])
    for state in [*reversed(earlier)][:history]:
        before = state.base_from_tool
        turn = cv2.Rodrigues(pose[:3, :3] @ before[:3, :3].T)[0].ravel()
        parts.append([1.0, *(pose[:3, 3] - before[:3, 3]), *turn, state.gripper_open])
    parts.extend([[0.0] * HISTORY_WIDTH] * (history - min(history, len(earlier))))
    return np.concatenate(parts).astype(np.float32)


def tool_yaw(base_from_tool: Float[np.ndarray, "4 4"]) -> float:
    """Angle of the line along which the fingers open (the tool's y axis), seen from above."""
    return float(np.arctan2(base_from_tool[1, 1], base_from_tool[0, 1]))
