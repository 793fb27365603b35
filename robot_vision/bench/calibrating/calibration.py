"""Accuracy of hand-eye calibration on synthetic set-ups, against plain Tsai and Lenz."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.bench.calibrating.calibration_setups import (
    Disturbance,
    Setup,
    draw_setup,
    place_and_turn_errors,
)
from robot_vision.bench.calibrating.rendered_board import BoardRenderer
from robot_vision.bench.calibrating.tsai import tsai_lenz
from robot_vision.calibration.boards.board_file import write_board
from robot_vision.calibration.boards.board_pose import board_pose
from robot_vision.calibration.boards.sight import BoardFinder
from robot_vision.calibration.fitting.hand_eye import Mount, other_from_carrier
from robot_vision.calibration.verdict import calibrate_hand_eye
from robot_vision.calibration.view_folder import POSES_FILE, write_tool_pose
from robot_vision.calibration.views import View
from robot_vision.core.cameras.camera_file import camera_file_text
from robot_vision.core.errors import CalibrationError
from robot_vision.core.quaternions import from_matrix
from robot_vision.machine import describe_machine

# The project's targets.
_MOST_M, _MOST_DEG = 0.0015, 0.2
_MOUNTS: tuple[Mount, ...] = ("tool", "base")
CONDITIONS: dict[str, Disturbance] = {
    "corners 0.3 px": Disturbance(),
    "and the arm 0.2 mm, 0.02°": Disturbance(arm_m=0.0002, arm_deg=0.02),
    "and 3 views of 15 false": Disturbance(bad_views=3),
}


def bench_calibration(
    *, setups: int, rendered: int, on_progress: Callable[[str], object]
) -> dict[str, Any]:
    """Errors of `setups` seeded set-ups per mount and condition, and of `rendered` ones with
    pictures."""
    result: dict[str, Any] = {"machine": describe_machine(), "errors": {}}
    for words, disturbance in CONDITIONS.items():
        for number, mount in enumerate(_MOUNTS):
            seeds = range(1000 * number, 1000 * number + setups)
            drawn = (draw_setup(seed, mount=mount, disturbance=disturbance) for seed in seeds)
            found = result["errors"][f"{words}, camera on {mount}"] = _compared(drawn)
            on_progress(f"{words}, camera on {mount}: {found['ours']}; {found['Tsai and Lenz']}")
    if rendered:
        drawn = (
            rendered_setup(seed, mount=_MOUNTS[seed % len(_MOUNTS)]) for seed in range(rendered)
        )
        result["errors"]["rendered pictures, both mounts"] = _compared(drawn)
    return result


def rendered_setup(seed: int, *, mount: Mount = "tool") -> Setup:
    """A set-up with corners found in rendered pictures."""
    setup = draw_setup(seed, mount=mount, disturbance=Disturbance(corner_px=0.0))
    finder = BoardFinder(setup.board)
    views = [
        replace(view, sight=finder.find(picture))
        for view, picture in zip(setup.views, rendered_pictures(setup, seed), strict=True)
    ]
    return replace(setup, views=tuple(views))


def rendered_pictures(setup: Setup, seed: int) -> list[UInt8[np.ndarray, "h w"]]:
    """Render a picture of each view."""
    rng = np.random.default_rng(seed)
    carried = other_from_carrier([view.base_from_tool for view in setup.views], setup.mount)
    camera_from_other = np.linalg.inv(carried @ setup.carrier_from_camera)
    renderer = BoardRenderer(setup.board, setup.camera)
    return [renderer.picture(pose @ setup.other_from_board, rng) for pose in camera_from_other]


def write_rendered_views(folder: Path, seed: int, *, mount: Mount) -> Setup:
    """Pictures, poses.csv, board.yaml and camera.yaml, as an operator would collect them."""
    setup = draw_setup(seed, mount=mount, disturbance=Disturbance(corner_px=0.0))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / POSES_FILE).unlink(missing_ok=True)
    for view, picture in zip(setup.views, rendered_pictures(setup, seed), strict=True):
        cv2.imwrite(str(folder / view.name), picture)
        pose = view.base_from_tool
        numbers = [*pose[:3, 3].tolist(), *from_matrix(pose[:3, :3]).tolist()]
        write_tool_pose(folder, view.name, numbers)
    write_board(folder / "board.yaml", setup.board.config)
    (folder / "camera.yaml").write_text(camera_file_text(setup.camera))
    return setup


def _compared(setups: Any) -> dict[str, dict[str, float]]:
    ours, theirs, milliseconds = [], [], []
    for setup in setups:
        start = time.process_time()
        ours.append(_errors(setup, _ours))
        milliseconds.append((time.process_time() - start) * 1e3)
        theirs.append(_errors(setup, _tsai))
    return {
        "ours": _summary(ours) | {"processor_ms": float(np.median(milliseconds))},
        "Tsai and Lenz": _summary(theirs),
    }


def _errors(setup: Setup, method: Callable[[Setup], np.ndarray]) -> tuple[float, float]:
    """Errors in metres and degrees; infinite if rejected."""
    try:
        found = method(setup)
    except CalibrationError:
        return np.inf, np.inf
    return place_and_turn_errors(found, setup.carrier_from_camera)


def _ours(setup: Setup) -> np.ndarray:
    fit = calibrate_hand_eye(setup.views, camera=setup.camera, mount=setup.mount)
    return fit.carrier_from_camera


def _tsai(setup: Setup) -> np.ndarray:
    views: Sequence[View] = setup.views
    poses = np.array([board_pose(view.sight, setup.camera).camera_from_board for view in views])
    return tsai_lenz(other_from_carrier([v.base_from_tool for v in views], setup.mount), poses)


def _summary(errors: list[tuple[float, float]]) -> dict[str, float]:
    place_m, turn_deg = np.array(errors).T
    return {
        "setups": len(errors),
        "refused": int(np.isinf(place_m).sum()),
        "within": float(((place_m <= _MOST_M) & (turn_deg <= _MOST_DEG)).mean()),
        "median_mm": float(np.median(place_m) * 1e3),
        "worst_mm": float(place_m.max() * 1e3),
        "median_deg": float(np.median(turn_deg)),
        "worst_deg": float(turn_deg.max()),
    }
