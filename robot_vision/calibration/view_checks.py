"""Checks whether views can determine a hand-eye calibration at all, before fitting."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.calibration.views import View
from robot_vision.core.errors import CalibrationError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.calibration_config import HandEyeConfig
from robot_vision.core.quaternions import is_pose

_SAME_PICTURE_PX = 0.02
_ADVICE = "turn the tool by 20° to 40° about two different axes, in both directions"


def check_views(views: Sequence[View], config: HandEyeConfig) -> None:
    """Raises `CalibrationError` with the value, what was expected and what to do."""
    for view in views:
        _check_pose(view, config)
    _check_pictures(views, config)
    poses = np.array([view.base_from_tool for view in views]).reshape(-1, 4, 4)
    distinct = distinct_poses(poses, config)
    if len(distinct) < config.least_views:
        same = (
            f"{len(distinct)} of {len(views)} views differ"
            if len(distinct) < len(views)
            else (f"{len(views)} views show the board")
        )
        raise CalibrationError(
            f"{same}; expected {config.least_views} at least, from tool poses more than "
            f"{config.same_m * 1e3:g} mm or {config.same_deg:g}° apart: take more pictures"
        )
    check_turns(poses[distinct], config)


def distinct_poses(poses: Float64[np.ndarray, "v 4 4"], config: HandEyeConfig) -> list[int]:
    """Indices of the distinct poses."""
    kept: list[int] = []
    for number, pose in enumerate(poses):
        if not any(is_same_pose(poses[other], pose, config) for other in kept):
            kept.append(number)
    return kept


def is_same_pose(
    one: Float64[np.ndarray, "4 4"], other: Float64[np.ndarray, "4 4"], config: HandEyeConfig
) -> bool:
    """Whether two poses are the same, within an arm's repeatability."""
    apart_m = float(np.linalg.norm(one[:3, 3] - other[:3, 3]))
    turn = Rotation.from_matrix(one[:3, :3] @ other[:3, :3].T)
    apart_deg = float(np.degrees(turn.magnitude()))
    return apart_m < config.same_m and apart_deg < config.same_deg


def weakest_turn(
    poses: Float64[np.ndarray, "v 4 4"],
) -> tuple[float, float, Float64[np.ndarray, "3"]]:
    """Mean rotations (deg) that determine the camera's position, worst and best direction.

    The position x of the camera on its carrier follows from (R − 1) x of the rotations R between
    views: along a common axis of rotation it has no effect. Also gives that direction, in the
    tool's
    axes.
    """
    first, second = np.triu_indices(len(poses), k=1)
    turns = poses[second, :3, :3].transpose(0, 2, 1) @ poses[first, :3, :3]
    effects = turns - np.eye(3)
    strengths, directions = np.linalg.eigh(
        np.einsum("nki,nkj->ij", effects, effects) / len(effects)
    )
    mean_deg = np.degrees(np.sqrt(np.maximum(strengths, 0.0)))
    return float(mean_deg[0]), float(mean_deg[2]), directions[:, 0]


def check_turns(poses: Float64[np.ndarray, "v 4 4"], config: HandEyeConfig) -> None:
    """Raises `CalibrationError` for rotations that are too small, or all about one axis."""
    weakest_deg, best_deg, axis = weakest_turn(poses)
    if weakest_deg >= config.least_turn_deg:
        return
    if best_deg >= 2 * max(weakest_deg, 0.5 * config.least_turn_deg):
        direction = ", ".join(f"{part:.2f}" for part in axis * np.sign(axis[abs(axis).argmax()]))
        raise CalibrationError(
            f"the tool turned about a single axis, ({direction}) of the tool: by {best_deg:.1f}° "
            f"between views on average, and by {weakest_deg:.1f}° across it; expected "
            f"{config.least_turn_deg:g}° at least across every axis, as the camera's position "
            f"along the axis stays unknown: {_ADVICE}"
        )
    raise CalibrationError(
        f"the tool turned too little, by {best_deg:.1f}° between views on average and by "
        f"{weakest_deg:.1f}° across the weakest axis; expected {config.least_turn_deg:g}° at "
        f"least: {_ADVICE}"
    )


def _check_pose(view: View, config: HandEyeConfig) -> None:
    pose = view.base_from_tool
    if not is_pose(pose):
        raise CalibrationError(
            f"view {quoted(view.name)}: its tool pose is not a rigid transform (orthogonal unit "
            f"axes, right-handed): {np.round(pose, 4).tolist()}"
        )
    far_m = float(np.linalg.norm(pose[:3, 3]))
    if far_m > config.farthest_m:
        raise CalibrationError(
            f"view {quoted(view.name)}: the tool is {far_m:.4g} m from the base; expected at most "
            f"{config.farthest_m:g} m: are these millimetres? Divide by 1000"
        )


def _check_pictures(views: Sequence[View], config: HandEyeConfig) -> None:
    """A camera whose driver is stuck while the arm moves shows the same picture twice."""
    for number, view in enumerate(views):
        for other in views[:number]:
            same_ids = np.array_equal(view.sight.ids, other.sight.ids)
            if not same_ids:
                continue
            apart_px = abs(view.sight.pixel_px - other.sight.pixel_px).max()
            pair = np.array([view.base_from_tool, other.base_from_tool])
            if apart_px < _SAME_PICTURE_PX and len(distinct_poses(pair, config)) == 2:
                raise CalibrationError(
                    f"views {quoted(other.name)} and {quoted(view.name)} show the same picture "
                    f"(corners within {apart_px:.2g} px), although the tool had moved; expected a "
                    "picture taken after each move: is the camera's driver still running?"
                )
