"""Appearance: what the grid says under a box, as unit rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.results.appearance import pool_appearance
from robot_vision.core.types import Features


def features(grid: np.ndarray) -> Features:
    return Features(
        stamp_ns=1,
        grid=grid.astype(np.float32),
        stride_px=16.0,
        embedding=np.zeros(1, np.float32),
        model_id="m",
    )


def pooled(grid: np.ndarray, *boxes: tuple[float, ...]) -> np.ndarray:
    box = np.array(boxes, np.float32).reshape(len(boxes), 4)
    return pool_appearance(features(grid), box, width_px=640, height_px=480)


def test_a_box_gets_the_mean_of_its_cells_weighted_by_cover() -> None:
    grid = np.zeros((2, 30, 40))
    grid[0, :, :10], grid[1, :, 10:] = 1, 1  # the left 160 px point along one axis
    left, right, both = pooled(grid, (0, 0, 160, 480), (200, 10, 300, 99), (144, 5, 192, 300))
    assert np.allclose(left, [1, 0])
    assert np.allclose(right, [0, 1])
    assert np.allclose(both, np.array([1, 2]) / np.sqrt(5))  # 16 px of one, 32 of the other


@given(
    st.lists(st.tuples(*[st.floats(-50, 700, width=32)] * 4), max_size=6),
    st.integers(1, 5),
    st.integers(1, 7),
)
def test_rows_are_unit_and_finite_for_any_box(
    corners: list[tuple[float, float, float, float]], rows: int, columns: int
) -> None:
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    grid = np.random.default_rng(0).uniform(0.1, 1, (3, rows, columns))
    result = pooled(grid, *boxes)
    assert result.shape == (len(boxes), 3)
    assert np.allclose(np.linalg.norm(result, axis=1), 1, atol=1e-5)


def test_features_of_norm_zero_give_zeros() -> None:
    assert not pooled(np.zeros((3, 4, 4)), (0, 0, 50, 50)).any()
