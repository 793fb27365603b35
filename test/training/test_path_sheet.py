"""Sheets of paths: drawn on the picture where the camera is known, and as curves everywhere."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from demonstrations_kit import BASE_FROM_CAMERA, CAMERA, write_episodes
from pixel_demonstrations import demonstrations

from robot_vision.core.cameras.geometry import deproject, transform_points
from robot_vision.training.data.judging.cameras import camera_at
from robot_vision.training.data.judging.path_sheet import (
    PREDICTED_COLOR,
    TAUGHT_COLOR,
    TILE_WIDTH_PX,
    Curve,
    PathTile,
    View,
    write_path_sheet,
)

PICTURE = np.full((64, 96, 3), 120, np.uint8)
CURVE = Curve(name="x m", taught=np.arange(3.0), predicted=np.zeros(3), least=0.01)


def tile_of(view: View | None) -> PathTile:
    return PathTile(picture=PICTURE, view=view, curves=(CURVE,), lines=("lift it", "here"))


def drawn(tmp_path: Path, view: View | None) -> np.ndarray:
    write_path_sheet(tmp_path / "paths.png", [tile_of(view)])
    sheet = cv2.imread(str(tmp_path / "paths.png"))
    assert sheet is not None
    return sheet[..., ::-1]


def test_paths_end_where_the_camera_sees_them(tmp_path: Path) -> None:
    pixels = np.array([[20.0, 20.0], [40.0, 30.0], [70.0, 20.0], [70.0, 50.0]])
    in_camera = deproject(pixels, np.full(4, 0.7), camera=CAMERA)
    places_m = transform_points(BASE_FROM_CAMERA, in_camera)
    view = View(
        camera=CAMERA,
        base_from_camera=BASE_FROM_CAMERA,
        taught_m=places_m[[0, 1, 2]],
        predicted_m=places_m[[0, 1, 3]],
    )
    sheet = drawn(tmp_path, view)
    grown = TILE_WIDTH_PX / 96
    for (x, y), color in ((pixels[2], TAUGHT_COLOR), (pixels[3], PREDICTED_COLOR)):
        place = round((y + 0.5) * grown - 0.5), round((x + 0.5) * grown - 0.5)
        assert tuple(sheet[place]) == color


def test_without_a_known_camera_there_are_curves_alone(tmp_path: Path) -> None:
    sheet = drawn(tmp_path, None)
    height_px = round(64 * TILE_WIDTH_PX / 96)
    assert (sheet[:height_px] == 120).all()
    below = sheet[height_px:].reshape(-1, 3)
    for color in (TAUGHT_COLOR, PREDICTED_COLOR):
        assert (below == color).all(axis=1).any()


def test_our_sets_say_where_a_camera_was_and_others_do_not(tmp_path: Path) -> None:
    write_episodes(tmp_path / "set", [3])
    source = replace(demonstrations(1, seed=0), origins=((tmp_path / "set", 0),))
    placed = camera_at(source, 2, "front")
    assert placed is not None
    assert np.allclose(placed.base_from_camera, BASE_FROM_CAMERA)
    assert np.allclose(placed.camera.intrinsics_px, CAMERA.intrinsics_px)
    (tmp_path / "set" / "meta" / "robot_vision.json").unlink()
    assert camera_at(source, 2, "front") is None
    assert camera_at(demonstrations(1, seed=0), 2, "front") is None
