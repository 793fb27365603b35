"""Distortion as OpenCV has it, and its inverse: right, or NaN where there is none."""

import cv2
import numpy as np
import pytest
from camera_numbers import BROWN, FISHEYE
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.lens import distort, undistort

COUNTS = st.sampled_from([4, 5, 8, 12, 14])
SEEDS = st.integers(0, 2**32)


@given(SEEDS, COUNTS)
def test_brown_s_models_are_opencv_s(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(0, BROWN)[:count]
    ray = rng.uniform(-0.8, 0.8, (50, 2))
    zero, point_m = np.zeros(3), np.hstack([ray, np.ones((50, 1))])
    expected, _ = cv2.projectPoints(point_m[:, None], zero, zero, np.eye(3), d)
    seen = distort(ray, model="plumb_bob", coefficients=d)
    np.testing.assert_allclose(seen, expected[:, 0], rtol=1e-6, atol=1e-9)


@given(SEEDS)
def test_the_fisheye_model_is_opencv_s_and_is_undone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(0, FISHEYE)
    angle, around = rng.uniform(0, 1.3, 50), rng.uniform(0, 7, 50)
    ray = np.tan(angle)[:, None] * np.stack([np.cos(around), np.sin(around)], axis=1)
    zero, point_m = np.zeros(3), np.hstack([ray, np.ones((50, 1))])
    expected, _ = cv2.fisheye.projectPoints(point_m[:, None], zero, zero, np.eye(3), d)
    seen = distort(ray, model="equidistant", coefficients=d)
    np.testing.assert_allclose(seen, expected[:, 0], atol=1e-9)
    slope = 1 + (d * [3, 5, 7, 9]) @ np.linspace(0, 1.35, 200) ** np.array([[2], [4], [6], [8]])
    if slope.min() > 0.1:
        found = undistort(seen, model="equidistant", coefficients=d)
        np.testing.assert_allclose(np.arctan(found), np.arctan(ray), atol=1e-5)


@given(SEEDS, COUNTS)
def test_what_is_undone_comes_to_lie_where_it_was_seen(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(0, 2 * np.array(BROWN))[:count]
    seen = rng.uniform(-1.5, 1.5, (50, 2))
    ray = undistort(seen, model="rational_polynomial", coefficients=d)
    again = distort(ray, model="rational_polynomial", coefficients=d)
    known = np.isfinite(ray).all(axis=1)
    np.testing.assert_allclose(again[known], seen[known], atol=1e-4)
    assert np.isfinite(undistort(seen[:1] * 0, model="plumb_bob", coefficients=d * 0)).all()


def test_beyond_the_fold_nothing_is_known() -> None:
    # Seen at r (1 − r²/2): nothing lies farther out than 0.54.
    d = np.array([-0.5, 0.0, 0.0, 0.0])
    seen = np.array([[0.5, 0.0], [0.6, 0.0]])
    ray = undistort(seen, model="plumb_bob", coefficients=d)
    assert ray[0, 0] == pytest.approx(0.618, abs=1e-3)  # and not 1.0, beyond the fold
    assert np.isnan(ray[1]).all()
