"""`robot-vision calibrate …`: a board to print, a lens, and the camera's pose on an arm."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from robot_vision.commands.calibrate_options import (
    BoardFile,
    FrameId,
    Pictures,
    Rgb,
    Settings,
    ViewFolder,
    parsed_apart,
)
from robot_vision.commands.hand_eye import hand_eye
from robot_vision.commands.overrides import parsed
from robot_vision.terminal import say

app = typer.Typer(no_args_is_help=True, help="Calibrate cameras with pictures of a board.")


@app.callback()
def calibrate() -> None:
    """Calibrate cameras with pictures of a board."""


@app.command()
def board(
    out: Annotated[Path, typer.Option(help="PNG to print; its description is written beside it")],
    settings: Settings = None,
    dpi: Annotated[float, typer.Option(min=30, max=2400, help="dots per inch")] = 300.0,
    margin_m: Annotated[float, typer.Option(min=0.005, max=0.2, help="white margin")] = 0.012,
) -> None:
    """Draw a board: --set kind=charuco --set columns=7 --set square_m=0.03 …

    Print it at 100 %, measure the ruler on it, and glue it to something flat.
    """
    from robot_vision.calibration.boards.board import Board
    from robot_vision.calibration.boards.board_file import write_board
    from robot_vision.calibration.boards.board_picture import printed_board, write_png
    from robot_vision.core.parameters.groups.calibration_config import BoardConfig
    from robot_vision.core.parameters.values import with_values

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
        f"description: {description}"
    )


@app.command()
def camera(
    pictures: Pictures,
    board: BoardFile,
    out: Annotated[Path, typer.Option(help="camera_info YAML to write")] = Path("camera.yaml"),
    frame_id: FrameId = "camera",
    model: Annotated[
        Literal["plumb_bob", "rational_polynomial", "equidistant"],
        typer.Option(help="distortion model; equidistant: for fisheyes"),
    ] = "plumb_bob",
    rgb: Rgb = "",
    views: ViewFolder = None,
    settings: Settings = None,
) -> None:
    """Intrinsics of a camera from pictures of a board, as ROS's camera_calibration writes them.

    From a recording, pictures are selected in which the board is at rest, each time elsewhere.
    """
    from robot_vision.calibration.boards.board_file import read_board
    from robot_vision.calibration.boards.sight import BoardFinder
    from robot_vision.calibration.fitting.intrinsics import calibrate_lens
    from robot_vision.calibration.view_folder import find_board, picture_names
    from robot_vision.commands.calibration_tables import print_lens, say_missed
    from robot_vision.commands.recorded_pictures import is_recording, steady_views
    from robot_vision.core.cameras.camera_file import camera_file_text
    from robot_vision.core.parameters.groups.calibration_config import (
        IntrinsicsConfig,
        RecordedLensConfig,
    )
    from robot_vision.core.parameters.values import with_values

    of_choice, values = parsed_apart(settings, RecordedLensConfig.model_fields)
    choice = with_values(RecordedLensConfig(), of_choice)
    config = with_values(IntrinsicsConfig(), values)
    finder = BoardFinder(read_board(board))
    folder = pictures
    if is_recording(pictures):
        folder = views or out.parent / f"{out.stem}_views"
        steady_views(pictures, rgb, folder, finder=finder, config=choice)
    sightings = find_board(folder, picture_names(folder), finder)
    say_missed(sightings)
    lens = calibrate_lens(sightings.found, frame_id=frame_id, model=model, config=config)
    print_lens(lens)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(camera_file_text(lens.camera))
    say(f"written: {out}; load it with run --source … --camera-info or in camera drivers")


@app.command()
def capture(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="folder of views; new ones are added")
    ],
    board: BoardFile,
    rgb: Annotated[str, typer.Option(help="topic of the colour images")] = "rgb",
    tool_pose: Annotated[str, typer.Option(help="topic of the tool's PoseStamped")] = "tool_pose",
    base_frame: Annotated[str, typer.Option(help="base frame of the tool poses")] = "base",
    settings: Settings = None,
) -> None:
    """Take a picture and the tool pose from ROS topics whenever Enter is pressed.

    A picture counts only if it shows the board and the arm is at rest. End with q or Ctrl-D.
    """
    from robot_vision.calibration.boards.board_file import read_board
    from robot_vision.calibration.boards.sight import BoardFinder
    from robot_vision.core.errors import CalibrationError
    from robot_vision.core.parameters.groups.calibration_config import CaptureConfig
    from robot_vision.core.parameters.values import with_values
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
                say(f"rejected: {error}")
    finally:
        taking.close()


app.command("hand-eye")(hand_eye)
