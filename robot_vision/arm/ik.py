"""Differential inverse kinematics: joint velocities by damped least squares.

The damping grows towards a singularity (Nakamura and Hanafusa 1986, "Inverse kinematic solutions
with singularity robustness for robot manipulator control") by the smallest singular value, as
in Chiaverini, Siciliano and Egeland 1994. Redundant joints follow the null space.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.serial import TURN_ARM_M, Posture
from robot_vision.core import quaternions

Twist = Float64[np.ndarray, "6"]
_WEIGHT = np.array([1.0, 1.0, 1.0, TURN_ARM_M, TURN_ARM_M, TURN_ARM_M])


class Inverse(NamedTuple):
    """The damped inverse of a Jacobian, the projector onto its null space, and its regularity."""

    joints_from_twist: Float64[np.ndarray, "j 6"]
    null_space: Float64[np.ndarray, "j j"]
    least_singular: float


def invert(posture: Posture, *, damping: float, damped_below: float) -> Inverse:
    """The inverse at a posture; damped where a singular value (m) is below `damped_below`."""
    left, singular, right = np.linalg.svd(posture.weighted, full_matrices=False)
    least = float(singular[-1])
    squared = 0.0
    if least < damped_below:
        squared = (1 - (least / damped_below) ** 2) * damping**2
    gains = singular / (singular**2 + squared) if least > 0 or squared else singular * 0.0
    inverse = (right.T * gains) @ left.T * _WEIGHT
    # The rows of `right` span what moves the tool.
    return Inverse(inverse, np.eye(right.shape[1]) - right.T @ right, least)


def pose_error(
    base_from_tool: Float64[np.ndarray, "4 4"], base_from_target: Float64[np.ndarray, "4 4"]
) -> Twist:
    """The translation (m) and rotation (rad, base axes) from a tool to its target."""
    error = np.empty(6)
    error[:3] = base_from_target[:3, 3] - base_from_tool[:3, 3]
    turn = base_from_target[:3, :3] @ base_from_tool[:3, :3].T
    error[3:] = quaternions.log(quaternions.from_matrix(turn))
    return error
