"""Converts the rotation formats of datasets to matrices and back, many at a time.

Two axes are Zhou et al.'s (arXiv:1812.07035): the only format without jumps.
"""

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation as Turn

from robot_vision.datasets.meaning.meaning import ANGLES, Rotation

Matrices = Float64[np.ndarray, "n 3 3"]
Numbers = Float64[np.ndarray, "n _"]


def matrices_of(values: Numbers, *, rotation: Rotation, radians: float = 1.0) -> Matrices:
    """Rotation matrices [n,3,3]; NaN where the numbers are not a rotation (zeros, NaN).

    `radians` is the size of a unit, for angles only.
    """
    found = np.full((len(values), 3, 3), np.nan)
    good = np.asarray(np.isfinite(values).all(axis=1))
    if rotation == "none":
        found[:] = np.eye(3)
    elif rotation == "two_axes":
        found[good] = _of_axes(values[good])
    elif rotation in ANGLES:
        angles = values[good] * radians
        turns = Turn.from_rotvec(angles) if rotation == "rotation_vector" else _of_rpy(angles)
        found[good] = turns.as_matrix().reshape(-1, 3, 3)
    else:
        good &= np.linalg.norm(np.where(good[:, None], values, 0.0), axis=1) > 1e-6
        order = (0, 1, 2, 3) if rotation == "quaternion_xyzw" else (1, 2, 3, 0)
        found[good] = Turn.from_quat(values[good][:, order]).as_matrix().reshape(-1, 3, 3)
    return found


def numbers_of(matrices: Matrices, *, rotation: Rotation, radians: float = 1.0) -> Numbers:
    """The inverse of `matrices_of`; angles and quaternions of the shortest rotation."""
    if rotation == "none":
        return np.zeros((len(matrices), 0))
    if rotation == "two_axes":
        return np.concatenate([matrices[:, :, 0], matrices[:, :, 1]], axis=1)
    turns = Turn.from_matrix(matrices)
    if rotation == "rotation_vector":
        return turns.as_rotvec() / radians
    if rotation == "rpy":
        return turns.as_euler("xyz") / radians
    xyzw = turns.as_quat()
    return xyzw if rotation == "quaternion_xyzw" else xyzw[:, (3, 0, 1, 2)]


def vectors_of(matrices: Matrices) -> Float64[np.ndarray, "n 3"]:
    """Rotation vectors (rad); NaN where the matrix is."""
    found = np.full((len(matrices), 3), np.nan)
    good = np.isfinite(matrices).all(axis=(1, 2))
    if good.any():
        found[good] = Turn.from_matrix(matrices[good]).as_rotvec()
    return found


def _of_rpy(angles_rad: Numbers) -> Turn:
    """Lower-case letters are fixed axes: R = Rz(yaw) Ry(pitch) Rx(roll)."""
    return Turn.from_euler("xyz", angles_rad)


def _of_axes(values: Numbers) -> Matrices:
    """Orthonormalised by Gram-Schmidt; NaN if an axis has no length or both are parallel."""
    with np.errstate(invalid="ignore", divide="ignore"):
        x_axis = values[:, :3] / np.linalg.norm(values[:, :3], axis=1, keepdims=True)
        y_axis = values[:, 3:] - (x_axis * values[:, 3:]).sum(axis=1, keepdims=True) * x_axis
        y_axis = y_axis / np.linalg.norm(y_axis, axis=1, keepdims=True)
    return np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], axis=2)
