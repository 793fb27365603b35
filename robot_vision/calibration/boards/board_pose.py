"""The pose of a board in front of a camera, from one picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64

from robot_vision.calibration.boards.sight import BoardSighting
from robot_vision.core.cameras.geometry import project, rays_of, transform_points
from robot_vision.core.errors import CalibrationError
from robot_vision.core.types import Camera

# Below this ratio of the residuals of a flat board's two poses, choosing between them is a guess.
_PLAIN_RATIO = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardPose:
    """The pose, RMS of its corners in pixels, and whether its mirror pose fits nearly as well."""

    camera_from_board: Float64[np.ndarray, "4 4"]
    rms_px: float
    is_ambiguous: bool


def board_pose(sight: BoardSighting, camera: Camera) -> BoardPose:
    """By IPPE (Collins and Bartoli 2014), then Levenberg-Marquardt on undistorted rays.

    Raises `CalibrationError` if corners lie beyond the lens's field of view, or no pose fits.
    """
    rays = rays_of(sight.pixel_px, camera=camera)
    if np.isnan(rays).any():
        raise CalibrationError(
            f"{np.isnan(rays).any(axis=1).sum()} corners lie outside the lens's field of view; "
            "expected the calibration of this camera"
        )
    count, turns, places, _ = cv2.solvePnPGeneric(
        sight.points_m, rays, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE
    )
    poses = [
        _refined(sight, rays, turn, place)
        for turn, place in zip(turns, places, strict=True)
        if np.isfinite(turn).all() and np.isfinite(place).all()
    ]
    fits = sorted(
        ((_rms_px(sight, pose, camera), i, pose) for i, pose in enumerate(poses[:count])),
        key=lambda fit: fit[:2],
    )
    if not fits or not np.isfinite(fits[0][0]):
        raise CalibrationError("no pose in front of the camera fits the corners")
    (rms_px, _, pose), *others = fits
    is_same = bool(others) and np.allclose(others[0][2], pose, atol=1e-4)
    is_ambiguous = bool(others) and not is_same and others[0][0] < _PLAIN_RATIO * rms_px
    return BoardPose(camera_from_board=pose, rms_px=rms_px, is_ambiguous=is_ambiguous)


def _refined(
    sight: BoardSighting, rays: np.ndarray, turn: np.ndarray, place: np.ndarray
) -> np.ndarray:
    turn, place = cv2.solvePnPRefineLM(sight.points_m, rays, np.eye(3), None, turn, place)
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(turn)[0]
    pose[:3, 3] = place.ravel()
    return pose


def _rms_px(sight: BoardSighting, camera_from_board: np.ndarray, camera: Camera) -> float:
    seen_px = project(transform_points(camera_from_board, sight.points_m), camera=camera)
    return float(np.sqrt(((seen_px - sight.pixel_px) ** 2).sum(axis=1).mean()))
