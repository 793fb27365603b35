"""`robot-vision calibrate`, from pictures to what the launch files take."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from robot_vision.bench.calibrating.calibration import rendered_setup, write_rendered_views
from robot_vision.bench.calibrating.calibration_setups import Setup, place_and_turn_errors
from robot_vision.calibration.fitting.hand_eye import Mount
from robot_vision.calibration.verdict import calibrate_hand_eye
from robot_vision.cli import app
from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import with_values


@pytest.fixture(scope="module", params=["tool", "base"])
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    mount: Mount = request.param
    folder = tmp_path_factory.mktemp(mount)
    return write_rendered_views(folder, 3, mount=mount), folder


def hand_eye(folder: Path, mount: str, out: Path):
    files = ["--board", str(folder / "board.yaml"), "--camera-info", str(folder / "camera.yaml")]
    command = ["calibrate", "hand-eye", str(folder), *files, "--mount", mount, "--out", str(out)]
    return CliRunner().invoke(app, command, catch_exceptions=True)


def test_rendered_pictures_become_what_launch_files_take(
    rendered: tuple[Setup, Path], tmp_path: Path
) -> None:
    setup, folder = rendered
    result = hand_eye(folder, setup.mount, tmp_path)
    assert result.exit_code == 0, result.output
    assert "static_transform_publisher --x" in result.output
    written = yaml.safe_load((tmp_path / "hand_eye.yaml").read_text())
    pose = transform_from_quaternion(
        np.array(written["position_m"]), np.array(written["quaternion_xyzw"])
    )
    place_m, turn_deg = place_and_turn_errors(pose, setup.carrier_from_camera)
    assert place_m < 0.0005
    assert turn_deg < 0.05
    assert (written["parent_frame"], written["child_frame"]) == (setup.mount, "camera")
    picture = cv2.imread(str(tmp_path / "fit.png"))
    assert picture.shape[1] == 960
    assert (tmp_path / "camera_pose.yaml").exists() is (setup.mount == "base")
    if setup.mount == "base":
        content = yaml.safe_load((tmp_path / "camera_pose.yaml").read_text())
        parameters = content["/**/policy"]["ros__parameters"]["camera_pose"]
        values = {f"camera_pose.{name}": value for name, value in parameters.items()}
        config = with_values(PolicyNodeConfig(), values)
        assert config.camera_pose.position_m == written["position_m"]


def test_the_wrong_mount_is_refused_and_named(
    rendered: tuple[Setup, Path], tmp_path: Path
) -> None:
    setup, folder = rendered
    other = "base" if setup.mount == "tool" else "tool"
    result = hand_eye(folder, other, tmp_path / "out")
    assert isinstance(result.exception, RobotVisionError)
    assert f"--mount {setup.mount}" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line | {"qw": "0", "qx": "0", "qy": "0", "qz": "0"}, "length 0"),
        (lambda line: line | {"x_m": "far"}, "expected seven numbers"),
        (lambda line: line | {"x_m": "nan"}, "expected finite numbers"),
        (lambda line: line | {"x_m": "650"}, "are these millimetres"),
        (lambda line: line | {"file": "../../etc/passwd"}, "is not a file below"),
        (lambda line: line | {"file": "none.png"}, "is not there"),
    ],
)
def test_a_bad_line_of_poses_is_named(
    tmp_path: Path, rendered: tuple[Setup, Path], change, words: str
) -> None:
    setup, folder = rendered
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    lines = list(csv.DictReader((folder / "poses.csv").read_text().splitlines()))
    lines[2] = change(lines[2])
    with (tmp_path / "poses.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    result = hand_eye(tmp_path, setup.mount, tmp_path / "out")
    assert isinstance(result.exception, RobotVisionError)
    assert words in str(result.exception)


def test_a_plain_chessboard_is_refused(rendered: tuple[Setup, Path], tmp_path: Path) -> None:
    setup, folder = rendered
    board = tmp_path / "board.yaml"
    board.write_text("kind: chessboard\n")
    files = ["--board", str(board), "--camera-info", str(folder / "camera.yaml")]
    result = CliRunner().invoke(
        app, ["calibrate", "hand-eye", str(folder), *files, "--mount", setup.mount]
    )
    assert "ambiguous; expected charuco or april" in str(result.exception)


def test_corners_found_in_rendered_pictures_settle_it() -> None:
    setup = rendered_setup(11)
    fit = calibrate_hand_eye(setup.views, camera=setup.camera, mount=setup.mount)
    place_m, turn_deg = place_and_turn_errors(fit.carrier_from_camera, setup.carrier_from_camera)
    assert place_m < 0.0005
    assert turn_deg < 0.05


def test_a_lens_from_rendered_pictures(rendered: tuple[Setup, Path], tmp_path: Path) -> None:
    setup, folder = rendered
    out = tmp_path / "camera.yaml"
    command = ["calibrate", "camera", str(folder), "--board", str(folder / "board.yaml")]
    result = CliRunner().invoke(
        app, [*command, "--out", str(out), "--set", "least_cover=0.3"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    found = yaml.safe_load(out.read_text())["camera_matrix"]["data"]
    assert found[0] == pytest.approx(setup.camera.fx_px, rel=0.01)


def test_a_board_to_print(tmp_path: Path) -> None:
    out = tmp_path / "board.png"
    command = ["calibrate", "board", "--out", str(out), "--set", "columns=6", "--dpi", "200"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert yaml.safe_load(out.with_suffix(".yaml").read_text())["columns"] == 6
    assert cv2.imread(str(out)) is not None
