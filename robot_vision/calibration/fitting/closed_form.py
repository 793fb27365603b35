"""Solves the hand-eye equation T X = Z B⁻¹ in closed form, as the start of the refinement.

T is other_from_carrier, B camera_from_board, each a stack of 4×4 matrices by view; X, the result,
is carrier_from_camera, Z other_from_board. Both methods solve rotations first, then positions and
scale.
"""

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.calibration.fitting.reprojection import Mounting

Poses = Float64[np.ndarray, "v 4 4"]

# The axis of a rotation near 180° may point either way.
_MOST_TURN_RAD = np.radians(170.0)
_SCALES = (0.02, 50.0)


def by_pairs(other_from_carrier: Poses, camera_from_board: Poses) -> Mounting:
    """By the rotations between pairs of views (Park and Martin 1994)."""
    first, second = np.triu_indices(len(camera_from_board), k=1)
    board_from_camera = np.linalg.inv(camera_from_board)
    carriers = np.linalg.inv(other_from_carrier)[second] @ other_from_carrier[first]
    cameras = camera_from_board[second] @ board_from_camera[first]
    carrier_turns = Rotation.from_matrix(carriers[:, :3, :3]).as_rotvec()
    camera_turns = Rotation.from_matrix(cameras[:, :3, :3]).as_rotvec()
    is_plain = np.linalg.norm(carrier_turns, axis=1) < _MOST_TURN_RAD
    x_turn = _nearest_rotation(carrier_turns[is_plain].T @ camera_turns[is_plain])
    z_turns = other_from_carrier[:, :3, :3] @ x_turn @ camera_from_board[:, :3, :3]
    z_turn = _nearest_rotation(z_turns.sum(axis=0))
    return _with_places(other_from_carrier, camera_from_board, x_turn, z_turn)


def by_views(other_from_carrier: Poses, camera_from_board: Poses) -> Mounting:
    """Both rotations at once, by Kronecker products of each view's rotations (Shah 2013)."""
    product = np.zeros((9, 9))
    for carrier, board in zip(other_from_carrier, camera_from_board, strict=True):
        product += np.kron(board[:3, :3].T, carrier[:3, :3])
    z_stacked, _, x_stacked = np.linalg.svd(product)
    x_turn = x_stacked[0].reshape(3, 3).T
    z_turn = z_stacked[:, 0].reshape(3, 3).T
    sign = np.sign(np.linalg.det(x_turn)) or 1.0
    turns = _nearest_rotation(sign * x_turn), _nearest_rotation(sign * z_turn)
    return _with_places(other_from_carrier, camera_from_board, *turns)


def _with_places(
    other_from_carrier: Poses, camera_from_board: Poses, x_turn: np.ndarray, z_turn: np.ndarray
) -> Mounting:
    """Positions by linear least squares; the board's size is free, as it may be given wrongly."""
    camera_in_board_m = np.linalg.inv(camera_from_board)[:, :3, 3]
    views = len(camera_from_board)
    system = np.zeros((views, 3, 7))
    system[:, :, :3] = other_from_carrier[:, :3, :3]
    system[:, :, 3:6] = -np.eye(3)
    system[:, :, 6] = -camera_in_board_m @ z_turn.T
    sides = -other_from_carrier[:, :3, 3].ravel()
    places = np.linalg.lstsq(system.reshape(-1, 7), sides, rcond=None)[0]
    if not _SCALES[0] < places[6] < _SCALES[1]:  # not determined by so little movement
        sides = sides - system[:, :, 6].ravel()
        places[:6] = np.linalg.lstsq(system[:, :, :6].reshape(-1, 6), sides, rcond=None)[0]
        places[6] = 1.0
    x, z = np.eye(4), np.eye(4)
    x[:3, :3], x[:3, 3] = x_turn, places[:3]
    z[:3, :3], z[:3, 3] = z_turn, places[3:6]
    return Mounting(carrier_from_camera=x, other_from_board=z, board_scale=float(places[6]))


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(matrix)
    return u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
