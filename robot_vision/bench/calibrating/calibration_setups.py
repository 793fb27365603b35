"""Synthetic set-ups for hand-eye calibration: camera, board, arm, views, all from one seed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.calibration.boards.board import Board
from robot_vision.calibration.boards.sight import BoardSighting
from robot_vision.calibration.fitting.hand_eye import Mount
from robot_vision.calibration.views import View
from robot_vision.core.cameras.geometry import project, transform_points
from robot_vision.core.parameters.groups.calibration_config import BoardConfig
from robot_vision.core.types import Camera

_LEAST_CORNERS = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """Ground truth and observations."""

    board: Board
    camera: Camera
    mount: Mount
    carrier_from_camera: Float64[np.ndarray, "4 4"]
    other_from_board: Float64[np.ndarray, "4 4"]
    views: tuple[View, ...]


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """Corner noise (px, each axis), the arm's errors (each axis), and views with gross errors."""

    corner_px: float = 0.3
    arm_m: float = 0.0
    arm_deg: float = 0.0
    bad_views: int = 0


def draw_setup(
    seed: int,
    *,
    mount: Mount = "tool",
    views: int = 15,
    turn_deg: float = 30.0,
    disturbance: Disturbance | None = None,
    board: BoardConfig | None = None,
) -> Setup:
    """A set-up in which the operator rotates tool or board by up to `turn_deg` about all axes."""
    disturbance = disturbance or Disturbance()
    rng = np.random.default_rng(seed)
    made = Board(board or BoardConfig())
    camera = _camera(rng)
    carrier_from_camera = _pose(rng, place_m=0.12 if mount == "tool" else 0.8)
    other_from_board = _pose(rng, place_m=0.6 if mount == "tool" else 0.15)
    taken: list[View] = []
    while len(taken) < views:
        camera_from_board = _view_of_board(rng, made, turn_deg)
        sight = _sight(rng, made, camera, camera_from_board, disturbance.corner_px)
        if len(sight.ids) < _LEAST_CORNERS:
            continue
        other_from_carrier = (
            other_from_board
            @ np.linalg.inv(camera_from_board)
            @ np.linalg.inv(carrier_from_camera)
        )
        pose = other_from_carrier if mount == "tool" else np.linalg.inv(other_from_carrier)
        pose = _disturbed(rng, pose, disturbance.arm_m, disturbance.arm_deg)
        if len(taken) < disturbance.bad_views:
            pose = _disturbed(rng, pose, 0.03, 5.0)
        taken.append(View(name=f"{len(taken):02d}.png", base_from_tool=pose, sight=sight))
    order = rng.permutation(views)
    return Setup(
        board=made,
        camera=camera,
        mount=mount,
        carrier_from_camera=carrier_from_camera,
        other_from_board=other_from_board,
        views=tuple(taken[number] for number in order),
    )


def place_and_turn_errors(
    found: Float64[np.ndarray, "4 4"], true: Float64[np.ndarray, "4 4"]
) -> tuple[float, float]:
    """Distance (m) and angle (deg) between two poses."""
    turn = Rotation.from_matrix(found[:3, :3] @ true[:3, :3].T)
    return float(np.linalg.norm(found[:3, 3] - true[:3, 3])), float(np.degrees(turn.magnitude()))


def _camera(rng: np.random.Generator) -> Camera:
    focal_px = rng.uniform(500, 700)
    centre_px = [320 + rng.uniform(-15, 15), 240 + rng.uniform(-15, 15)]
    matrix = np.array([[focal_px, 0, centre_px[0]], [0, focal_px, centre_px[1]], [0, 0, 1]])
    k1, k2 = rng.uniform(-0.1, 0.1), rng.uniform(-0.05, 0.05)
    return Camera(
        frame_id="camera",
        width_px=640,
        height_px=480,
        intrinsics_px=matrix,
        distortion=np.array([k1, k2, 0.001, -0.001, 0.0]),
    )


def _pose(rng: np.random.Generator, *, place_m: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    pose[:3, 3] = rng.uniform(-place_m, place_m, 3)
    return pose


def _view_of_board(rng: np.random.Generator, board: Board, turn_deg: float) -> np.ndarray:
    """The board 0.25 to 0.6 m away, its centre in the inner part of the picture."""
    pose = np.eye(4)
    turn = rng.uniform(-1, 1, 3) * np.radians([turn_deg, turn_deg, 2 * turn_deg])
    pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    away_m = rng.uniform(0.25, 0.6)
    middle = np.array([*rng.uniform(-0.25, 0.25, 2), 1.0]) * away_m
    pose[:3, 3] = middle - pose[:3, :3] @ board.middle_m
    return pose


def _sight(
    rng: np.random.Generator, board: Board, camera: Camera, pose: np.ndarray, noise_px: float
) -> BoardSighting:
    pixel_px = project(transform_points(pose, board.points_m), camera=camera)
    pixel_px = pixel_px + rng.normal(0, noise_px, pixel_px.shape)
    size_px = np.array([camera.width_px, camera.height_px])
    is_seen = ((pixel_px > 2) & (pixel_px < size_px - 3)).all(axis=1)
    ids = np.flatnonzero(is_seen)
    return BoardSighting(
        ids=ids,
        points_m=board.points_m[ids],
        pixel_px=pixel_px[ids],
        image_size_px=(camera.width_px, camera.height_px),
    )


def _disturbed(
    rng: np.random.Generator, pose: np.ndarray, place_m: float, turn_deg: float
) -> np.ndarray:
    moved = pose.copy()
    moved[:3, 3] += rng.normal(0, 1, 3) * place_m
    turn = Rotation.from_rotvec(rng.normal(0, 1, 3) * np.radians(turn_deg))
    moved[:3, :3] = pose[:3, :3] @ turn.as_matrix()
    return moved
