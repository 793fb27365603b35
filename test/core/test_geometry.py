"""Projection and rigid transforms, by their properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.geometry import (
    deproject,
    invert_transform,
    project,
    scaled_camera,
    transform_from_quaternion,
    transform_points,
)
from robot_vision.core.types import Camera

CAMERA = Camera(
    frame_id="camera",
    width_px=640,
    height_px=480,
    intrinsics_px=np.array([[585.0, 0, 320], [0, 590.0, 240], [0, 0, 1]]),
)
coordinate = st.floats(-5, 5)
unit = st.floats(-1, 1)
quaternions = st.tuples(unit, unit, unit, unit).filter(lambda q: np.linalg.norm(q) > 0.1)


@given(st.floats(0, 639), st.floats(0, 479), st.floats(0.1, 10))
def test_projecting_a_deprojected_pixel_gives_the_pixel(u: float, v: float, z: float) -> None:
    point = deproject(np.array([[u, v]]), np.array([z]), camera=CAMERA)
    assert point[0, 2] == z
    np.testing.assert_allclose(project(point, camera=CAMERA), [[u, v]], atol=1e-6)


def test_the_principal_point_lies_on_the_axis_and_right_and_down_are_positive() -> None:
    pixels = np.array([[320.0, 240.0], [420.0, 340.0]])
    points = deproject(pixels, np.array([2.0, 2.0]), camera=CAMERA)
    np.testing.assert_allclose(points[0], [0, 0, 2])
    assert (points[1, :2] > 0).all()


def test_points_behind_the_camera_do_not_project() -> None:
    points = np.array([[0.1, 0.1, -1.0], [0.0, 0.0, 0.0]])
    assert np.isnan(project(points, camera=CAMERA)).all()


@given(st.tuples(coordinate, coordinate, coordinate), quaternions)
def test_a_transform_and_its_inverse_cancel(
    translation: tuple[float, ...], quaternion: tuple[float, ...]
) -> None:
    a_from_b = transform_from_quaternion(np.array(translation), np.array(quaternion))
    points = np.array([[0.0, 0, 0], [1, 2, 3], [-4, 0.5, 2]])
    there = transform_points(a_from_b, points)
    np.testing.assert_allclose(
        transform_points(invert_transform(a_from_b), there), points, atol=1e-9
    )
    spread = np.linalg.norm(points[0] - points[1])
    assert np.linalg.norm(there[0] - there[1]) == pytest.approx(spread)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    half = np.sqrt(0.5)
    a_from_b = transform_from_quaternion(np.zeros(3), np.array([0, 0, half, half]))
    np.testing.assert_allclose(
        transform_points(a_from_b, np.array([[1.0, 0, 0]])), [[0, 1, 0]], atol=1e-12
    )


@pytest.mark.parametrize("quaternion", [[0.0, 0, 0, 0], [np.nan, 0, 0, 1]])
def test_a_quaternion_without_direction_is_refused(quaternion: list[float]) -> None:
    with pytest.raises(ValueError, match="no direction"):
        transform_from_quaternion(np.zeros(3), np.array(quaternion))


@given(st.integers(8, 2000), st.integers(8, 2000))
def test_a_scaled_camera_sees_the_same_rays(width_px: int, height_px: int) -> None:
    scaled = scaled_camera(CAMERA, width_px=width_px, height_px=height_px)
    edges = np.array([[-0.5, -0.5], [639.5, 479.5]])
    scaled_edges = np.array([[-0.5, -0.5], [width_px - 0.5, height_px - 0.5]])
    np.testing.assert_allclose(
        deproject(scaled_edges, np.ones(2), camera=scaled),
        deproject(edges, np.ones(2), camera=CAMERA),
        atol=1e-9,
    )
