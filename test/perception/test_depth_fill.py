"""Holes filled from around: nothing measured is touched, nothing is invented, colour guides."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.perception.depth.fill import fill_depth, filled_confidence

Y, X = np.mgrid[0:240, 0:320]
GRAY = np.full((240, 320, 3), 128, np.uint8)


def nearest(depth_m: np.ndarray) -> np.ndarray:
    """The depth of the nearest measured pixel."""
    hole = np.isnan(depth_m).view(np.uint8)
    _, label = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    return depth_m[np.isfinite(depth_m)][label - 1]


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 1.0),
    st.sampled_from([1, 2, 5]),
)
def test_of_any_size_measured_depth_stays_and_the_rest_lies_between(
    height: int, width: int, seed: int, share: float, finer: int
) -> None:
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(0.2, 9, (height, width)).astype(np.float32)
    measured = rng.random((height, width)) < share
    measured[rng.integers(height), rng.integers(width)] = True
    depth_m[~measured] = np.nan
    rgb = rng.integers(0, 256, (height * finer, width * finer, 3)).astype(np.uint8)
    before = depth_m.copy()
    filled = fill_depth(depth_m, measured=measured, rgb=rgb)
    assert filled.depth_m.shape == filled.confidence.shape == depth_m.shape
    assert np.array_equal(depth_m, before, equal_nan=True)
    assert np.array_equal(filled.depth_m[measured], depth_m[measured])
    assert filled.depth_m.min() >= np.nanmin(depth_m) * (1 - 1e-5)
    assert filled.depth_m.max() <= np.nanmax(depth_m) * (1 + 1e-5)
    assert np.array_equal(filled.confidence == 1, measured)
    assert (filled.confidence > 0).all()
    assert (filled.confidence[~measured] <= 0.5).all()


@pytest.mark.parametrize("size", [(2, 5), (48, 64)])
def test_a_lone_pixel_between_those_that_are_worked_on_is_enough(size: tuple[int, int]) -> None:
    depth_m = np.full(size, np.nan, np.float32)
    depth_m[1, 1] = 2
    measured = np.isfinite(depth_m)
    filled = fill_depth(depth_m, measured=measured, rgb=np.zeros((*size, 3), np.uint8))
    np.testing.assert_allclose(filled.depth_m, 2, rtol=1e-5)
    confidence = filled_confidence(depth_m, measured=measured)
    np.testing.assert_array_equal(confidence, filled.confidence)


def test_a_plane_goes_on_through_a_hole_where_the_nearest_pixel_makes_a_step() -> None:
    true_m = (1 / (0.4 + X / 500)).astype(np.float32)
    depth_m = true_m.copy()
    depth_m[80:160, 120:200] = np.nan
    hole = np.isnan(depth_m)
    filled = fill_depth(depth_m, measured=~hole, rgb=GRAY)
    error = [np.abs(m / true_m - 1)[hole].mean() for m in (filled.depth_m, nearest(depth_m))]
    assert error[0] < 0.6 * error[1]


def test_depth_stops_at_an_edge_of_colour() -> None:
    on_left = X < 170
    true_m = np.where(on_left, 1.0, 2.0).astype(np.float32)
    rgb = np.where(on_left[..., None], 40, 200).astype(np.uint8).repeat(3, axis=2)
    depth_m = true_m.copy()
    depth_m[80:160, 100:200] = np.nan  # its middle is left of the edge
    hole = np.isnan(depth_m)
    by_color = fill_depth(depth_m, measured=~hole, rgb=rgb).depth_m
    blind = fill_depth(depth_m, measured=~hole, rgb=GRAY).depth_m
    error = [np.abs(guess / true_m - 1)[hole].mean() for guess in (by_color, blind)]
    assert error[0] < 0.5 * error[1]


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf, -1.0])
def test_what_stands_in_a_hole_does_not_matter(value: float) -> None:
    rng = np.random.default_rng(0)
    depth_m = rng.uniform(1, 2, (60, 80)).astype(np.float32)
    measured = rng.random((60, 80)) < 0.3
    depth_m[~measured] = value
    filled = fill_depth(depth_m, measured=measured, rgb=GRAY)
    assert np.isfinite(filled.depth_m).all()
    assert filled.depth_m.min() >= 1 - 1e-5
