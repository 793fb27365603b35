"""The common method of hand-eye calibration: plain Tsai and Lenz 1989 on board poses.

The method of OpenCV's `calibrateHandEye(…, method=CALIB_HAND_EYE_TSAI)`, for which OpenCV 5 has no
Python binding; OpenCV 4.11's differs from this by up to 1 mm on poses with 1 mm and .2° of noise.
"""

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

Poses = Float64[np.ndarray, "v 4 4"]


def tsai_lenz(other_from_carrier: Poses, camera_from_board: Poses) -> Float64[np.ndarray, "4 4"]:
    """`carrier_from_camera` by linear least squares over all pairs of views."""
    first, second = np.triu_indices(len(camera_from_board), k=1)
    carriers = np.linalg.inv(other_from_carrier)[second] @ other_from_carrier[first]
    cameras = camera_from_board[second] @ np.linalg.inv(camera_from_board)[first]
    a, b = _halves(carriers), _halves(cameras)
    skew = np.array([_skew(one) for one in a + b])
    solved = np.linalg.lstsq(skew.reshape(-1, 3), (b - a).ravel(), rcond=None)[0]
    rodrigues = 2 * solved / np.sqrt(1 + solved @ solved)
    turn = (
        (1 - rodrigues @ rodrigues / 2) * np.eye(3)
        + np.outer(rodrigues, rodrigues) / 2
        + np.sqrt(4 - rodrigues @ rodrigues) * _skew(rodrigues) / 2
    )
    system = carriers[:, :3, :3] - np.eye(3)
    sides = cameras[:, :3, 3] @ turn.T - carriers[:, :3, 3]
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = np.linalg.lstsq(system.reshape(-1, 3), sides.ravel(), rcond=None)[0]
    return pose


def _halves(poses: Poses) -> np.ndarray:
    """2 sin(θ/2) along the axis of each rotation."""
    turns = Rotation.from_matrix(poses[:, :3, :3]).as_rotvec()
    angles = np.linalg.norm(turns, axis=1, keepdims=True)
    return turns / np.maximum(angles, 1e-12) * 2 * np.sin(angles / 2)


def _skew(vector: np.ndarray) -> np.ndarray:
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
