"""Decides whether a hand-eye fit may be used; if not, which mistake the views would fit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from robot_vision.calibration.fitting.hand_eye import HandEye, Mount, fit_hand_eye, start_error_px
from robot_vision.calibration.view_checks import check_turns, check_views
from robot_vision.calibration.views import View
from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import CalibrationError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.groups.calibration_config import HandEyeConfig
from robot_vision.core.quaternions import from_matrix
from robot_vision.core.types import Camera

# The board's size counts as wrong if it is off by this many standard errors.
_SURE = 4.0
# A closed form with an error of more than this many times the permitted one cannot be refined to
# fit.
_HOPELESS = 10.0
_OTHER: dict[Mount, Mount] = {"tool": "base", "base": "tool"}


def calibrate_hand_eye(
    views: Sequence[View], *, camera: Camera, mount: Mount, config: HandEyeConfig | None = None
) -> HandEye:
    """The pose of the camera on the tool, or in the base frame.

    Raises `CalibrationError` with the value, what was expected and what to do if views cannot
    determine it, or if the fit would be wrong: wrong units, direction, order or board.
    """
    config = config or HandEyeConfig()
    check_views(views, config)
    fit = fit_hand_eye(views, camera=camera, mount=mount, config=config)
    _check_scale(fit, config)
    fault = _fault(fit, config)
    if fault:
        reasons = list(_explanations(views, camera=camera, mount=mount, config=config))
        advice = "; ".join(reasons) or (
            "did board or camera move between views, was the arm at rest when pictures were "
            "taken, are the camera's intrinsics those of these pictures?"
        )
        raise CalibrationError(f"{fault}: {advice}")
    kept = [view.base_from_tool for view, of in zip(views, fit.views, strict=True) if of.is_kept]
    check_turns(np.array(kept), config)
    _check_uncertainty(fit, config)
    return fit


def _fault(fit: HandEye, config: HandEyeConfig) -> str:
    """A description of what is wrong with the fit of the views; empty if nothing is."""
    dropped = [view for view in fit.views if not view.is_kept]
    if fit.rms_px > config.most_residual_px:
        return (
            f"the best fit leaves {fit.rms_px:.1f} px RMS; expected below "
            f"{config.most_residual_px:g} px"
        )
    if len(dropped) > config.most_dropped_share * len(fit.views):
        names = ", ".join(f"{quoted(view.name)} ({view.rms_px:.1f} px)" for view in dropped)
        return (
            f"{len(dropped)} of {len(fit.views)} views do not fit the others; expected at most "
            f"{config.most_dropped_share:.0%} ({names})"
        )
    left = len(fit.views) - len(dropped)
    if left < config.least_views:
        return f"{left} views fit one another; expected {config.least_views} at least"
    return ""


def _explanations(
    views: Sequence[View], *, camera: Camera, mount: Mount, config: HandEyeConfig
) -> Iterator[str]:
    """Common mistakes that, when undone, make these views fit."""
    other = _OTHER[mount]
    swapped = (
        f"they fit ({{rms:.2f}} px) with poses inverted: either tool poses are tool_from_base "
        f"where base_from_tool was expected, or the camera sits on the {other}: --mount {other}"
    )
    mistakes: list[tuple[str, Callable[[Sequence[View]], list[View]]]] = [
        (swapped, _inverted),
        (
            "they fit ({rms:.2f} px) with quaternions read as w x y z; expected x y z w",
            _other_quaternion,
        ),
        (
            "they fit ({rms:.2f} px) with each rotation inverted: rotations are tool_from_base "
            "where base_from_tool was expected",
            _other_turn,
        ),
        (
            "each picture fits ({rms:.2f} px) the pose of the next one: poses are late by one",
            _next_pose,
        ),
        (
            "each picture fits ({rms:.2f} px) the pose of the one before: pictures are late by "
            "one",
            _previous_pose,
        ),
    ]
    # One pose less if pictures are late by one.
    config = config.model_copy(update={"least_views": config.least_views - 1})
    for words, undo in mistakes:
        undone = undo(views)
        error_px = start_error_px(undone, camera=camera, mount=mount)
        if error_px > _HOPELESS * config.most_residual_px:
            continue
        fit = fit_hand_eye(undone, camera=camera, mount=mount, config=config)
        if not _fault(fit, config):
            yield words.format(rms=fit.rms_px)


def _inverted(views: Sequence[View]) -> list[View]:
    return [replace(view, base_from_tool=np.linalg.inv(view.base_from_tool)) for view in views]


def _other_quaternion(views: Sequence[View]) -> list[View]:
    """As if the four numbers were w x y z."""
    changed = []
    for view in views:
        pose = view.base_from_tool
        rolled = np.roll(from_matrix(pose[:3, :3]), -1)
        changed.append(
            replace(view, base_from_tool=transform_from_quaternion(pose[:3, 3], rolled))
        )
    return changed


def _other_turn(views: Sequence[View]) -> list[View]:
    changed = []
    for view in views:
        pose = view.base_from_tool.copy()
        pose[:3, :3] = pose[:3, :3].T
        changed.append(replace(view, base_from_tool=pose))
    return changed


def _next_pose(views: Sequence[View]) -> list[View]:
    return [replace(view, base_from_tool=later.base_from_tool) for view, later in pairwise(views)]


def _previous_pose(views: Sequence[View]) -> list[View]:
    return [
        replace(view, base_from_tool=earlier.base_from_tool) for earlier, view in pairwise(views)
    ]


def _check_scale(fit: HandEye, config: HandEyeConfig) -> None:
    off = abs(fit.board_scale - 1)
    if fit.free_rms_px > config.most_residual_px:  # nothing fits, whatever the board's size
        return
    if off > config.most_scale_error and off > _SURE * fit.board_scale_error:
        raise CalibrationError(
            f"measured by the arm, the board is {fit.board_scale:.4f} ± "
            f"{fit.board_scale_error:.4f} of the size given; expected 1 ± "
            f"{config.most_scale_error:g}: measure a square (printers scale), and check that the "
            "camera's focal length belongs to these pictures and tool poses are in metres"
        )


def _check_uncertainty(fit: HandEye, config: HandEyeConfig) -> None:
    place_m, turn_deg = fit.place_error_m, fit.turn_error_deg
    if place_m <= config.most_uncertainty_m and turn_deg <= config.most_uncertainty_deg:
        return
    raise CalibrationError(
        f"the camera's position is uncertain by {place_m * 1e3:.1f} mm and {turn_deg:.2f}° "
        f"(standard errors); expected {config.most_uncertainty_m * 1e3:g} mm and "
        f"{config.most_uncertainty_deg:g}° at most: take more views, closer to the board, from "
        "more varied positions and directions"
    )
