"""The calibration of a lens: how near the truth, and what is refused."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robot_vision.calibration.boards.board import Board
from robot_vision.calibration.boards.sight import BoardSighting
from robot_vision.calibration.fitting.intrinsics import calibrate_lens
from robot_vision.core.cameras.camera_file import camera_file_text, read_camera_file
from robot_vision.core.cameras.camera_info import camera_of
from robot_vision.core.cameras.geometry import project, transform_points
from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.errors import CalibrationError, ConfigError
from robot_vision.core.parameters.groups.calibration_config import BoardConfig
from robot_vision.core.types import Camera

BOARD = Board(BoardConfig(columns=9, rows=7))
DISTORTIONS: dict[DistortionModel, list[float]] = {
    "plumb_bob": [-0.2, 0.05, 0.001, -0.0005, 0.0],
    "rational_polynomial": [-0.2, 0.05, 0.001, -0.0005, 0.0, 0.01, 0.0, 0.0],
    "equidistant": [0.02, -0.01, 0.002, 0.0],
}


def camera_of_model(model: DistortionModel) -> Camera:
    return Camera(
        frame_id="camera",
        width_px=640,
        height_px=480,
        intrinsics_px=np.array([[520.0, 0, 325], [0, 522, 236], [0, 0, 1]]),
        distortion=np.array(DISTORTIONS[model]),
        distortion_model=model,
    )


def sights_of(
    camera: Camera, *, views: int = 20, tilt_deg: float = 35.0, reach: float = 0.45, seed: int = 0
) -> dict[str, BoardSighting]:
    rng = np.random.default_rng(seed)
    sights: dict[str, BoardSighting] = {}
    while len(sights) < views:
        turn = rng.uniform(-1, 1, 3) * np.radians([tilt_deg, tilt_deg, 40])
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
        away_m = rng.uniform(0.3, 0.6)
        middle = np.array([*rng.uniform(-reach, reach, 2) * [1, 0.75], 1]) * away_m
        pose[:3, 3] = middle - pose[:3, :3] @ BOARD.middle_m
        pixel_px = project(transform_points(pose, BOARD.points_m), camera=camera)
        pixel_px = pixel_px + rng.normal(0, 0.2, pixel_px.shape)
        seen = ((pixel_px > 0) & (pixel_px < [640, 480])).all(axis=1)
        if seen.sum() >= 15:
            ids = np.flatnonzero(seen)
            sights[f"{len(sights):02d}.png"] = BoardSighting(
                ids=ids,
                points_m=BOARD.points_m[ids],
                pixel_px=pixel_px[ids],
                image_size_px=(640, 480),
            )
    return sights


@pytest.mark.parametrize("model", list(DISTORTIONS))
def test_a_lens_comes_back(model: DistortionModel) -> None:
    camera = camera_of_model(model)
    lens = calibrate_lens(sights_of(camera), frame_id="camera", model=model)
    found = lens.camera
    assert found.fx_px == pytest.approx(520, abs=3)
    assert found.fy_px == pytest.approx(522, abs=3)
    assert found.cx_px == pytest.approx(325, abs=4)
    assert found.cy_px == pytest.approx(236, abs=4)
    assert 0.15 < lens.rms_px < 0.4
    assert (lens.errors_px < 2).all()
    points_m = np.random.default_rng(1).uniform([-0.2, -0.15, 0.5], [0.2, 0.15, 1.0], (200, 3))
    apart_px = project(points_m, camera=found) - project(points_m, camera=camera)
    assert np.abs(apart_px - apart_px.mean(axis=0)).max() < 1.5


def test_the_file_is_what_drivers_load(tmp_path: Path) -> None:
    camera = camera_of_model("plumb_bob")
    file = tmp_path / "camera.yaml"
    file.write_text(camera_file_text(camera))
    assert camera_of(read_camera_file(file, frame_id="camera")).camera.same_as(camera)


@pytest.mark.ros
def test_the_source_node_reads_it_as_camera_info(tmp_path: Path) -> None:
    pytest.importorskip("sensor_msgs", reason="sensor_msgs is absent: pip install .[ros]")
    from robot_vision.core.cameras.camera_info import calibration_of
    from robot_vision.ros.source.calibration_file import read_calibration

    camera = camera_of_model("equidistant")
    file = tmp_path / "camera.yaml"
    file.write_text(camera_file_text(camera))
    message = read_calibration(file, frame_id="camera")
    assert camera_of(calibration_of(message)).camera.same_as(camera)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text("image_width: 640\n")
    with pytest.raises(ConfigError, match="image_height is missing"):
        read_camera_file(file, frame_id="camera")


def test_a_bad_view_is_left_out_by_name() -> None:
    sights = sights_of(camera_of_model("plumb_bob"))
    bad = sights["04.png"]
    shaken = bad.pixel_px + np.random.default_rng(2).normal(0, 6, bad.pixel_px.shape)
    sights["04.png"] = BoardSighting(
        ids=bad.ids, points_m=bad.points_m, pixel_px=shaken, image_size_px=(640, 480)
    )
    lens = calibrate_lens(sights, frame_id="camera")
    assert [view.name for view in lens.views if not view.is_kept] == ["04.png"]
    assert lens.camera.fx_px == pytest.approx(520, abs=3)


def refused(sights: Mapping[str, BoardSighting], words: str) -> None:
    with pytest.raises(CalibrationError, match=words):
        calibrate_lens(sights, frame_id="camera")


def test_few_views_are_refused() -> None:
    refused(sights_of(camera_of_model("plumb_bob"), views=5), "5 of 5 views .* expected 8")


def test_the_same_view_again_is_not_a_new_one() -> None:
    sights = sights_of(camera_of_model("plumb_bob"), views=4)
    again = {f"{i}.png": list(sights.values())[i % 4] for i in range(20)}
    refused(again, "4 of 20 views of the board differ")


def test_a_board_that_is_never_tilted_is_refused() -> None:
    refused(sights_of(camera_of_model("plumb_bob"), tilt_deg=2.0), r"tilt|focal length")


def test_a_board_in_the_middle_only_is_refused() -> None:
    sights = sights_of(camera_of_model("plumb_bob"), reach=0.0)
    small = {
        name: BoardSighting(
            ids=sight.ids,
            points_m=sight.points_m,
            pixel_px=(sight.pixel_px - [320, 240]) / 3 + [320, 240],
            image_size_px=(640, 480),
        )
        for name, sight in sights.items()
    }
    refused(small, "corners lie in .* cells; expected 50%")
