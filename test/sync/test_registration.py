"""Depth of another camera lies on colour's pixels, the nearest first, holes left as holes."""

import numpy as np
import pytest

from robot_vision.core.cameras.geometry import deproject, project, transform_points
from robot_vision.core.types import Camera
from robot_vision.sync.registration import Registration


def camera(width_px: int, height_px: int, focal_px: float, d: tuple[float, ...] = ()) -> Camera:
    matrix = np.array([[focal_px, 0, width_px / 2], [0, focal_px, height_px / 2], [0, 0, 1]])
    return Camera(
        frame_id="c",
        width_px=width_px,
        height_px=height_px,
        intrinsics_px=matrix,
        distortion=np.array(d),
    )


def moved(x_m: float) -> np.ndarray:
    color_from_depth = np.eye(4)
    color_from_depth[0, 3] = x_m
    return color_from_depth


@pytest.mark.parametrize("d", [(), (-0.2, 0.05, 1e-3, 1e-3, 0.0)])
def test_every_point_lands_where_colour_sees_it(d: tuple[float, ...]) -> None:
    depth_camera, color = camera(320, 240, 300.0, d), camera(320, 240, 280.0, d)
    move = moved(0.05)
    move[2, 3] = 0.02
    rows, columns = np.mgrid[:240, :320]
    depth_m = (1.5 + 0.002 * columns).astype(np.float32)
    found = Registration(depth_camera, color, move)(depth_m)
    pixel_px = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    point_m = transform_points(
        move, deproject(pixel_px, depth_m.ravel().astype(float), camera=depth_camera)
    )
    at = np.rint(project(point_m, camera=color)).astype(int)
    inside = ((at >= 0) & (at < [320, 240])).all(axis=1)
    shown = found[at[inside, 1], at[inside, 0]]
    np.testing.assert_allclose(shown, point_m[inside, 2], atol=0.01)
    empty = np.ones(found.shape, bool)
    empty[at[inside, 1], at[inside, 0]] = False
    assert np.isnan(found[empty]).all()


def test_what_is_near_hides_what_is_behind() -> None:
    depth_m = np.full((48, 64), 2.0, np.float32)
    depth_m[:, 30:40] = 0.5
    found = Registration(camera(64, 48, 60.0), camera(64, 48, 60.0), moved(0.1))(depth_m)
    # 0.1 m are 12 px at 0.5 m, and 3 px at 2 m.
    assert (found[:, 42:52] == 0.5).all()
    assert (found[:, 53:] == 2.0).all()
    assert np.isnan(found[:, 33:42]).all()


def test_depth_that_is_coarser_than_colour_stays_dense() -> None:
    found = Registration(camera(160, 120, 150.0), camera(1280, 960, 1200.0), np.eye(4))(
        np.full((120, 160), 1.0, np.float32)
    )
    assert found.shape == (120, 160)
    assert np.isfinite(found).mean() > 0.98


def test_invalid_depth_says_nothing() -> None:
    depth_m = np.full((48, 64), np.nan, np.float32)
    depth_m[10, 10] = 1.0
    found = Registration(camera(64, 48, 60.0), camera(64, 48, 60.0), np.eye(4))(depth_m)
    assert np.argwhere(np.isfinite(found)).tolist() == [[10, 10]]
