"""The mounting of a camera: on the tool (eye in hand), or beside the arm (eye to hand)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial.transform import Rotation

from robot_vision.calibration.boards.board_pose import BoardPose, board_pose
from robot_vision.calibration.fitting.outliers import kept_views
from robot_vision.calibration.fitting.refinement import Refined, covariance_of, refine
from robot_vision.calibration.fitting.reprojection import Mounting, Reprojection
from robot_vision.calibration.fitting.start import best_start
from robot_vision.calibration.views import View
from robot_vision.core.cameras.geometry import transform_points
from robot_vision.core.errors import CalibrationError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.calibration_config import HandEyeConfig
from robot_vision.core.types import Camera

Mount: TypeAlias = Literal["tool", "base"]
_ROUNDS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class ViewFit:
    """How a view fits: its corners, and the board's pose from this view against the fit's."""

    name: str
    is_kept: bool
    rms_px: float
    place_m: float
    turn_deg: float
    corners: int
    seen_px: Float64[np.ndarray, "n 2"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HandEye:
    """A fit. `carrier` is the frame that the camera sits on: the tool, or the base.

    `covariance` is of its position (m, axes of the carrier) and rotation (rad, axes of the
    camera). `board_scale` is the board's size, measured by the arm, relative to the given one,
    with its standard error; `free_rms_px` is the residual if the size is fitted too.
    """

    mount: Mount
    mounting: Mounting
    covariance: Float64[np.ndarray, "6 6"]
    rms_px: float
    views: tuple[ViewFit, ...]
    free_rms_px: float
    board_scale: float
    board_scale_error: float

    @property
    def carrier_from_camera(self) -> Float64[np.ndarray, "4 4"]:
        return self.mounting.carrier_from_camera

    @property
    def place_error_m(self) -> float:
        """Standard error of the camera's position: the root of the three variances' sum."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3])))

    @property
    def turn_error_deg(self) -> float:
        """Standard error of the camera's direction, about all three axes together."""
        return float(np.degrees(np.sqrt(np.trace(self.covariance[3:, 3:]))))


def fit_hand_eye(
    views: Sequence[View], *, camera: Camera, mount: Mount, config: HandEyeConfig
) -> HandEye:
    """The mounting with the least reprojection error over the views that agree; judges nothing.

    Starts from the closed form that most views agree with, refines with a soft loss, drops views
    that miss by far, and refines the rest by least squares. Raises `CalibrationError` if a view's
    corners fit no pose of a board.
    """
    carried = other_from_carrier([view.base_from_tool for view in views], mount)
    everything = Reprojection([view.sight for view in views], carried, camera)
    board_poses = [_board_pose(view, camera) for view in views]
    start = best_start(everything, carried, board_poses)
    soft = refine(everything, start, with_scale=True, is_soft=True)
    is_kept = kept_views(soft.view_rms_px, config)
    scaled = soft
    for _ in range(_ROUNDS):
        scaled = refine(_part(views, carried, is_kept, camera), scaled.mounting, with_scale=True)
        is_kept, before = kept_views(everything.view_rms_px(scaled.mounting), config), is_kept
        if np.array_equal(is_kept, before):
            break
    metric = Mounting(
        carrier_from_camera=scaled.mounting.carrier_from_camera,
        other_from_board=scaled.mounting.other_from_board,
    )
    part = _part(views, carried, is_kept, camera)
    refined = refine(part, metric)
    scale_variance = covariance_of(part, scaled.mounting, with_scale=True)[12, 12]
    return HandEye(
        mount=mount,
        mounting=refined.mounting,
        covariance=covariance_of(part, refined.mounting)[:6, :6],
        rms_px=refined.rms_px,
        views=_view_fits(views, everything, refined, is_kept, board_poses),
        free_rms_px=scaled.rms_px,
        board_scale=scaled.mounting.board_scale,
        board_scale_error=float(np.sqrt(scale_variance)),
    )


def start_error_px(views: Sequence[View], *, camera: Camera, mount: Mount) -> float:
    """Median over the views of their RMS at the best closed form: the best a fit can reach."""
    carried = other_from_carrier([view.base_from_tool for view in views], mount)
    everything = Reprojection([view.sight for view in views], carried, camera)
    board_poses = [_board_pose(view, camera) for view in views]
    start = best_start(everything, carried, board_poses)
    return float(np.median(everything.view_rms_px(start)))


def other_from_carrier(
    base_from_tool: Sequence[Float64[np.ndarray, "4 4"]], mount: Mount
) -> Float64[np.ndarray, "v 4 4"]:
    """The pose of the camera's carrier in the frame that holds the board."""
    poses = np.array(base_from_tool)
    return poses if mount == "tool" else np.linalg.inv(poses)


def _board_pose(view: View, camera: Camera) -> BoardPose:
    try:
        return board_pose(view.sight, camera)
    except CalibrationError as error:
        raise CalibrationError(f"view {quoted(view.name)}: {error}") from error


def _part(
    views: Sequence[View],
    carried: Float64[np.ndarray, "v 4 4"],
    is_kept: Bool[np.ndarray, " v"],
    camera: Camera,
) -> Reprojection:
    kept = np.flatnonzero(is_kept).tolist()
    return Reprojection([views[number].sight for number in kept], carried[kept], camera)


def _view_fits(
    views: Sequence[View],
    everything: Reprojection,
    refined: Refined,
    is_kept: Bool[np.ndarray, " v"],
    board_poses: Sequence[BoardPose],
) -> tuple[ViewFit, ...]:
    fitted = everything.camera_from_board(refined.mounting)
    seen_px = everything.seen_px(refined.mounting)
    rms_px = everything.view_rms_px(refined.mounting)
    fits = []
    for number, view in enumerate(views):
        alone = board_poses[number].camera_from_board
        middle_m = view.sight.points_m.mean(axis=0, keepdims=True)
        miss_m = transform_points(alone, middle_m) - transform_points(fitted[number], middle_m)
        turn = Rotation.from_matrix(alone[:3, :3] @ fitted[number, :3, :3].T)
        fits.append(
            ViewFit(
                name=view.name,
                is_kept=bool(is_kept[number]),
                rms_px=float(rms_px[number]),
                place_m=float(np.linalg.norm(miss_m)),
                turn_deg=float(np.degrees(turn.magnitude())),
                corners=len(view.sight.ids),
                seen_px=seen_px[everything.view_of == number],
            )
        )
    return tuple(fits)
