"""`robot-vision calibrate hand-eye`: the pose of a camera on or beside an arm."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from robot_vision.commands.calibrate_options import (
    BoardFile,
    FrameId,
    Rgb,
    Settings,
    ViewFolder,
    parsed_apart,
)
from robot_vision.terminal import Screen, say

if TYPE_CHECKING:
    from robot_vision.calibration.boards.board import Board
    from robot_vision.calibration.fitting.hand_eye import HandEye
    from robot_vision.calibration.view_folder import Sightings
    from robot_vision.core.parameters.groups.calibration_config import CaptureConfig, HandEyeConfig
    from robot_vision.core.types import Camera


def hand_eye(
    pictures: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURES", help="folder with pictures and poses.csv, or a recording"
        ),
    ],
    board: BoardFile,
    mount: Annotated[
        Literal["tool", "base"],
        typer.Option(
            help="tool: camera on the hand; base: camera beside the arm, board on the hand"
        ),
    ],
    camera_info: Annotated[
        Path | None,
        typer.Option(help="camera_info YAML of these pictures; default: the recording's own"),
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for results")] = Path("hand_eye"),
    frame_id: FrameId = "camera",
    base_frame: Annotated[str, typer.Option(help="base frame of the tool poses")] = "base",
    tool_frame: Annotated[str, typer.Option(help="tool frame of the tool poses")] = "tool",
    rgb: Rgb = "",
    tool_poses: Annotated[
        str, typer.Option(help="source in a recording: tf, joints, or a PoseStamped topic")
    ] = "tf",
    joint_states: Annotated[
        str, typer.Option(help="topic of the joints, with --tool-poses joints")
    ] = "/joint_states",
    urdf: Annotated[
        Path | None,
        typer.Option(
            help="URDF, with --tool-poses joints; default: the recorded /robot_description"
        ),
    ] = None,
    views: ViewFolder = None,
    settings: Settings = None,
) -> None:
    """The pose of a camera on an arm's tool or beside the arm, with residuals and a plot.

    Writes hand_eye.yaml and fit.png, and camera_pose.yaml for `policy_params_file:=` if the camera
    is beside the arm. Insufficient views are rejected with the reason. From a recording, one
    picture is taken for each pose in which the arm was at rest.
    """
    from robot_vision.calibration.boards.sight import BoardFinder
    from robot_vision.calibration.verdict import calibrate_hand_eye
    from robot_vision.calibration.view_folder import find_board, read_tool_poses, views_of
    from robot_vision.commands.calibration_tables import print_fit, say_missed
    from robot_vision.commands.recorded_pictures import is_recording, views_at_rest

    capture, config = _configs(settings)
    finder = BoardFinder(_board_with_ends(board))
    folder, lens = pictures, _lens(camera_info, frame_id)
    if is_recording(pictures):
        folder = views or out / "views"
        arm = {"by": tool_poses, "base_frame": base_frame, "tool_frame": tool_frame}
        lens = views_at_rest(
            pictures,
            rgb,
            folder,
            finder=finder,
            arm={**arm, "joint_states": joint_states, "urdf": urdf},
            capture=capture,
            hand_eye=config,
            camera=lens,
        )
    if lens is None:
        raise typer.BadParameter("a folder of pictures needs --camera-info")
    poses = read_tool_poses(folder)
    sightings = find_board(folder, [pose.name for pose in poses], finder)
    say_missed(sightings)
    _check_size(sightings, (lens.width_px, lens.height_px), camera_info or rgb)
    fit = calibrate_hand_eye(views_of(poses, sightings), camera=lens, mount=mount, config=config)
    print_fit(fit)
    parent = tool_frame if mount == "tool" else base_frame
    _write_fit(fit, out, folder, sightings, parent=parent, child=frame_id)


def _configs(settings: list[str] | None) -> "tuple[CaptureConfig, HandEyeConfig]":
    """The parameters for taking views and for the fit, with values of `--set`."""
    from robot_vision.core.parameters.groups.calibration_config import CaptureConfig, HandEyeConfig
    from robot_vision.core.parameters.values import with_values

    of_capture, values = parsed_apart(settings, CaptureConfig.model_fields)
    return with_values(CaptureConfig(), of_capture), with_values(HandEyeConfig(), values)


def _board_with_ends(path: Path) -> "Board":
    from robot_vision.calibration.boards.board_file import read_board
    from robot_vision.core.errors import CalibrationError

    made = read_board(path)
    if not made.has_ends:
        raise CalibrationError(
            f"{path} is a plain chessboard, whose orientation is ambiguous; expected charuco or "
            "april"
        )
    return made


def _lens(camera_info: Path | None, frame_id: str) -> "Camera | None":
    from robot_vision.core.cameras.camera_file import read_camera_file
    from robot_vision.core.cameras.camera_info import camera_of

    if camera_info is None:
        return None
    return camera_of(read_camera_file(camera_info, frame_id=frame_id)).camera


def _check_size(sightings: "Sightings", size_px: tuple[int, int], of: Path | str) -> None:
    from robot_vision.core.errors import CalibrationError

    for name, sight in sightings.found.items():
        if sight.image_size_px != size_px:
            raise CalibrationError(
                f"{name} has {sight.image_size_px[0]}×{sight.image_size_px[1]} px; expected "
                f"{size_px[0]}×{size_px[1]}, the image size of the camera in {of}"
            )


def _write_fit(
    fit: "HandEye", out: Path, folder: Path, sightings: "Sightings", *, parent: str, child: str
) -> None:
    from robot_vision.calibration.fitting.fit_picture import fit_picture, views_to_show
    from robot_vision.calibration.fitting.hand_eye_file import (
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
