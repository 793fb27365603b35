"""`robot-vision calibrate …`: a board to print, a lens, and where a camera sits at an arm."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from robot_vision.commands.overrides import parsed
from robot_vision.terminal import Screen, say

if TYPE_CHECKING:
    from robot_vision.calibration.hand_eye import HandEye
    from robot_vision.calibration.intrinsics import Lens
    from robot_vision.calibration.view_folder import Sightings

app = typer.Typer(no_args_is_help=True, help="Calibrate cameras by pictures of a board.")

Settings = Annotated[
    list[str] | None, typer.Option("--set", help="a parameter of docs/calibration.md: name=value")
]
BoardFile = Annotated[Path, typer.Option("--board", help="YAML that `calibrate board` wrote")]
Pictures = Annotated[Path, typer.Argument(metavar="FOLDER", help="folder of the pictures")]
FrameId = Annotated[str, typer.Option("--frame-id", help="optical frame of the camera")]


@app.callback()
def calibrate() -> None:
    """Calibrate cameras by pictures of a board."""


@app.command()
def board(
    out: Annotated[Path, typer.Option(help="PNG to print; its description goes beside it")],
    settings: Settings = None,
    dpi: Annotated[float, typer.Option(min=30, max=2400, help="dots per inch")] = 300.0,
    margin_m: Annotated[float, typer.Option(min=0.005, max=0.2, help="white around it")] = 0.012,
) -> None:
    """Draw a board: --set kind=charuco --set columns=7 --set square_m=0.03 …

    Print it at 100 %, measure the ruler on it, and glue it to something flat.
    """
    from robot_vision.calibration.board import Board
    from robot_vision.calibration.board_file import write_board
    from robot_vision.calibration.board_picture import printed_board, write_png
    from robot_vision.core.calibration_config import BoardConfig
    from robot_vision.core.config import with_values

    made = Board(with_values(BoardConfig(), parsed(settings or [])))
    sheet, px_per_m = printed_board(made, dpi=dpi, margin_m=margin_m)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_png(out, sheet, px_per_m=px_per_m)
    description = out.with_suffix(".yaml")
    write_board(description, made.config)
    width_m, height_m = made.size_m
    say(
        f"{out}: {made.config.kind} of {width_m * 1e3:g} × {height_m * 1e3:g} mm, "
        f"{sheet.shape[1]}×{sheet.shape[0]} px at {px_per_m * 0.0254:.2f} dots per inch; "
        f"described in {description}"
    )


@app.command()
def camera(
    folder: Pictures,
    board: BoardFile,
    out: Annotated[Path, typer.Option(help="camera_info YAML to write")] = Path("camera.yaml"),
    frame_id: FrameId = "camera",
    model: Annotated[
        Literal["plumb_bob", "rational_polynomial", "equidistant"],
        typer.Option(help="of the distortion; equidistant: fisheyes"),
    ] = "plumb_bob",
    settings: Settings = None,
) -> None:
    """Intrinsics of a camera from pictures of a board, as ROS's camera_calibration writes them."""
    from robot_vision.calibration.board_file import read_board
    from robot_vision.calibration.intrinsics import calibrate_lens
    from robot_vision.calibration.sight import BoardFinder
    from robot_vision.calibration.view_folder import find_board, picture_names
    from robot_vision.core.calibration_config import IntrinsicsConfig
    from robot_vision.core.camera_file import camera_file_text
    from robot_vision.core.config import with_values

    config = with_values(IntrinsicsConfig(), parsed(settings or []))
    finder = BoardFinder(read_board(board))
    sightings = find_board(folder, picture_names(folder), finder)
    _say_missed(sightings)
    lens = calibrate_lens(sightings.found, frame_id=frame_id, model=model, config=config)
    _print_lens(lens)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(camera_file_text(lens.camera))
    say(f"written: {out}; run --source … --camera-info and camera drivers load it")


@app.command()
def capture(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="views are added to it")],
    board: BoardFile,
    rgb: Annotated[str, typer.Option(help="topic of the colour images")] = "rgb",
    tool_pose: Annotated[str, typer.Option(help="topic of the tool's PoseStamped")] = "tool_pose",
    base_frame: Annotated[str, typer.Option(help="base of the tool poses")] = "base",
    settings: Settings = None,
) -> None:
    """Take a picture and the tool's pose from ROS topics each time that Enter is pressed.

    A picture counts only if the board is in it and the arm rests. End with q or Ctrl-D.
    """
    from robot_vision.calibration.board_file import read_board
    from robot_vision.calibration.sight import BoardFinder
    from robot_vision.core.calibration_config import CaptureConfig
    from robot_vision.core.config import with_values
    from robot_vision.core.errors import CalibrationError
    from robot_vision.ros.tools.calibration_capture import Capture

    config = with_values(CaptureConfig(), parsed(settings or []))
    finder = BoardFinder(read_board(board))
    topics = {"rgb": rgb, "tool_pose": tool_pose, "base_frame": base_frame}
    taking = Capture(folder, finder, config, **topics)
    say("Enter takes a picture, q ends")
    try:
        for line in sys.stdin:
            if line.strip().lower() == "q":
                break
            try:
                say(taking.take())
            except CalibrationError as error:
                say(f"not taken: {error}")
    finally:
        taking.close()


@app.command("hand-eye")
def hand_eye(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="pictures, and poses.csv with tool poses")
    ],
    board: BoardFile,
    camera_info: Annotated[Path, typer.Option(help="camera_info YAML of these pictures")],
    mount: Annotated[
        Literal["tool", "base"],
        typer.Option(help="tool: camera in the hand; base: beside the arm, board in the hand"),
    ],
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("hand_eye"),
    frame_id: FrameId = "camera",
    base_frame: Annotated[str, typer.Option(help="base of the tool poses")] = "base",
    tool_frame: Annotated[str, typer.Option(help="frame of the tool poses")] = "tool",
    settings: Settings = None,
) -> None:
    """Where a camera sits on an arm's tool or beside the arm, with residuals and a picture.

    Writes hand_eye.yaml and fit.png, and camera_pose.yaml for `policy_params_file:=` where the
    camera stands beside the arm. Views that cannot settle it are refused with the reason.
    """
    from robot_vision.calibration.board_file import read_board
    from robot_vision.calibration.sight import BoardFinder
    from robot_vision.calibration.verdict import calibrate_hand_eye
    from robot_vision.calibration.view_folder import find_board, read_tool_poses, views_of
    from robot_vision.core.calibration_config import HandEyeConfig
    from robot_vision.core.camera_file import read_camera_file
    from robot_vision.core.camera_info import camera_of
    from robot_vision.core.config import with_values
    from robot_vision.core.errors import CalibrationError

    config = with_values(HandEyeConfig(), parsed(settings or []))
    calibration = read_camera_file(camera_info, frame_id=frame_id)
    poses = read_tool_poses(folder)
    made = read_board(board)
    if not made.has_ends:
        raise CalibrationError(
            f"{board} is a plain chessboard, of which nobody sees which end is up; expected "
            "charuco or april"
        )
    finder = BoardFinder(made)
    sightings = find_board(folder, [pose.name for pose in poses], finder)
    _say_missed(sightings)
    lens = camera_of(calibration).camera
    _check_size(sightings, (lens.width_px, lens.height_px), camera_info)
    fit = calibrate_hand_eye(views_of(poses, sightings), camera=lens, mount=mount, config=config)
    _print_fit(fit)
    parent = tool_frame if mount == "tool" else base_frame
    _write_fit(fit, out, folder, sightings, parent=parent, child=frame_id)


def _check_size(sightings: "Sightings", size_px: tuple[int, int], camera_info: Path) -> None:
    from robot_vision.core.errors import CalibrationError

    for name, sight in sightings.found.items():
        if sight.image_size_px != size_px:
            raise CalibrationError(
                f"{name} has {sight.image_size_px[0]}×{sight.image_size_px[1]} px; expected "
                f"{size_px[0]}×{size_px[1]}, of which {camera_info} is"
            )


def _say_missed(sightings: "Sightings") -> None:
    for name, why in sightings.missed.items():
        say(f"{name}: left out: {why}")


def _print_lens(lens: "Lens") -> None:
    from rich.table import Table

    table = Table("picture", "RMS, px", "board tilted by", "", box=None, pad_edge=False)
    for view in lens.views:
        state = "" if view.is_kept else "left out"
        table.add_row(view.name, f"{view.rms_px:.3f}", f"{view.tilt_deg:.1f}°", state)
    screen = Screen()
    screen.print(table)
    camera, errors = lens.camera, lens.errors_px
    screen.print(
        f"fx {camera.fx_px:.2f} ± {errors[0]:.2f}, fy {camera.fy_px:.2f} ± {errors[1]:.2f}, "
        f"cx {camera.cx_px:.2f} ± {errors[2]:.2f}, cy {camera.cy_px:.2f} ± {errors[3]:.2f} px; "
        f"RMS {lens.rms_px:.3f} px; corners in {lens.cover:.0%} of the picture"
    )


def _print_fit(fit: "HandEye") -> None:
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
        f"{fit.turn_error_deg:.3f}°; board {fit.board_scale:.4f} ± {fit.board_scale_error:.4f} of "
        "the size given, by the arm"
    )


def _write_fit(
    fit: "HandEye", out: Path, folder: Path, sightings: "Sightings", *, parent: str, child: str
) -> None:
    from robot_vision.calibration.fit_picture import fit_picture, views_to_show
    from robot_vision.calibration.hand_eye_file import (
        camera_pose_parameters,
        hand_eye_text,
        static_transform_line,
    )
    from robot_vision.calibration.view_folder import read_picture

    out.mkdir(parents=True, exist_ok=True)
    (out / "hand_eye.yaml").write_text(hand_eye_text(fit, parent=parent, child=child))
    if fit.mount == "base":
        (out / "camera_pose.yaml").write_text(camera_pose_parameters(fit))
    shown = views_to_show(fit.views)
    picture = fit_picture(
        fit.views,
        {name: read_picture(folder, name) for name in shown},
        {name: sightings.found[name].pixel_px for name in shown},
    )
    _write_picture(out / "fit.png", picture)
    say(f"written: {', '.join(sorted(str(file) for file in out.iterdir()))}")
    line = static_transform_line(fit.carrier_from_camera, parent=parent, child=child)
    Screen().print(line, soft_wrap=True)


def _write_picture(path: Path, picture: Any) -> None:
    import cv2

    from robot_vision.core.errors import ConfigError

    if not cv2.imwrite(str(path), picture):
        raise ConfigError(f"cannot write {path}")
