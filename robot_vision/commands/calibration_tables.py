"""What `calibrate` prints: a row per picture, and the accuracy of the result."""

from typing import TYPE_CHECKING

from robot_vision.terminal import Screen, say

if TYPE_CHECKING:
    from robot_vision.calibration.fitting.hand_eye import HandEye
    from robot_vision.calibration.fitting.intrinsics import Lens
    from robot_vision.calibration.view_folder import Sightings


def say_missed(sightings: "Sightings") -> None:
    for name, why in sightings.missed.items():
        say(f"{name}: left out: {why}")


def print_lens(lens: "Lens") -> None:
    from rich.table import Table

    table = Table("picture", "RMS, px", "board tilted by", "", box=None, pad_edge=False)
    for view in lens.views:
        state = "" if view.is_kept else "left out"
        table.add_row(view.name, f"{view.rms_px:.3f}", f"{view.tilt_deg:.1f}°", state)
    screen = Screen()
    screen.print(table)
    camera, errors = lens.camera, lens.errors_px
    screen.print(
        f"fx {camera.fx_px:.2f} ± {errors[0]:.2f}, fy {camera.fy_px:.2f} ± {errors[1]:.2f}, cx "
        f"{camera.cx_px:.2f} ± {errors[2]:.2f}, cy {camera.cy_px:.2f} ± {errors[3]:.2f} px; RMS "
        f"{lens.rms_px:.3f} px; corners cover {lens.cover:.0%} of the image"
    )


def print_fit(fit: "HandEye") -> None:
    from rich.table import Table

    table = Table("view", "corners", "px", "mm", "°", "", box=None, pad_edge=False)
    for view in fit.views:
        table.add_row(
            view.name,
            str(view.corners),
            f"{view.rms_px:.2f}",
            f"{view.place_m * 1e3:.2f}",
            f"{view.turn_deg:.2f}",
            "" if view.is_kept else "dropped: it does not fit the others",
        )
    screen = Screen()
    screen.print(table)
    screen.print(
        f"RMS {fit.rms_px:.2f} px; standard error {fit.place_error_m * 1e3:.2f} mm, "
        f"{fit.turn_error_deg:.3f}°; board {fit.board_scale:.4f} ± {fit.board_scale_error:.4f} "
        "of the given size, according to the arm"
    )
