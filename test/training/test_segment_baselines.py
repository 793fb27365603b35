"""The trivial answers that slots are compared with part what they can."""

import numpy as np

from robot_vision.training.metrics.rand_index import adjusted_rand_index
from robot_vision.training.metrics.segment_baselines import (
    clusters_of_color,
    components_above_table,
)


def test_colours_that_differ_are_parted() -> None:
    rgb = np.full((40, 60, 3), 30, np.uint8)
    truth = np.zeros((40, 60), int)
    for row, (x, color) in enumerate(((5, (250, 20, 20)), (40, (20, 20, 250)))):
        rgb[10:25, x : x + 15] = color
        truth[10:25, x : x + 15] = row + 1
    found = clusters_of_color(rgb, count=3)
    shown = truth > 0
    assert adjusted_rand_index(found[shown], truth[shown]) == 1
    assert np.array_equal(found, clusters_of_color(rgb, count=3))


def test_what_stands_out_of_a_table_is_parted_and_the_table_is_none() -> None:
    rows = np.mgrid[:60, :80][0]
    depth_m = (1.2 - 0.004 * rows).astype(np.float32)
    truth = np.zeros((60, 80), int)
    for row, x in enumerate((10, 50)):
        truth[20:40, x : x + 15] = row + 1
    depth_m[truth > 0] -= 0.08
    depth_m[:3] = 0
    found = components_above_table(depth_m, focal_px=80.0)
    shown = truth > 0
    assert adjusted_rand_index(found[shown], truth[shown]) > 0.95
    assert (found[~shown] == 0).mean() > 0.9


def test_without_depth_all_is_one() -> None:
    assert not components_above_table(np.zeros((8, 8), np.float32), focal_px=80.0).any()
