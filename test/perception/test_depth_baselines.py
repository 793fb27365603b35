"""The ways to fill that ours is compared with: each fills every hole and touches nothing else."""

import numpy as np
import pytest

from robot_vision.perception.depth.baselines import FILLS


@pytest.mark.parametrize("name", FILLS)
def test_every_hole_is_filled_and_what_was_measured_stays(name: str) -> None:
    rng = np.random.default_rng(0)
    depth_m = np.linspace(1, 2, 64, dtype=np.float32)[None].repeat(48, axis=0)
    true_m = depth_m.copy()
    hole = rng.random(depth_m.shape) < 0.3
    hole[10:20, 20:30] = True
    depth_m[hole] = np.nan
    filled_m = FILLS[name](depth_m, np.zeros((48, 64, 3), np.uint8))
    assert np.allclose(filled_m[~hole], true_m[~hole], atol=1e-3)  # inpainting is in millimetres
    assert np.abs(filled_m - true_m)[hole].mean() < 0.05
