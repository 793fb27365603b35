"""The simulated expert's episodes as a dataset."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.datasets.lerobot.dataset import Dataset, steps
from robot_vision.datasets.lerobot.sample import stepped
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.writing.disk_room import DiskLimits


def test_the_experts_episodes_agree_with_what_the_cameras_saw(tmp_path: Path) -> None:
    if find_spec("mujoco") is None:  # not imported here: `gl` chooses the way to render first
        pytest.skip("mujoco is not installed")
    from robot_vision.simulation.robot.demonstrate import demonstrate
    from robot_vision.simulation.robot.episode import QUIET
    from robot_vision.simulation.robot.recipe import DemonstrationRecipe

    recipe = DemonstrationRecipe(seed=0, split="train", tasks=("pick",), noise=QUIET)
    demonstrate(tmp_path / "set", recipe, episodes=1, limits=DiskLimits(min_free_bytes=0))
    assert problems(tmp_path / "set") == []
    with Dataset(tmp_path / "set") as dataset:
        assert [e.record.success for e in dataset.episodes if e.record] == [True]
        before = None
        for step in steps(dataset):
            if before is not None:
                led_to = stepped(before.base_from_target, step.action)
                np.testing.assert_allclose(led_to, step.base_from_target, atol=1e-5)
            before = step
            frame = step.frames["front"]
            assert frame.camera is not None
            camera_from_base = invert_transform(step.base_from_camera["front"])
            tool = transform_points(camera_from_base, step.robot.base_from_tool[None, :3, 3])
            (u, v) = project(tool, camera=frame.camera)[0]
            assert 0 < u < frame.camera.width_px
            assert -40 < v < frame.camera.height_px
        moves = np.stack([s.base_from_camera["wrist"] for s in steps(dataset, cameras=["wrist"])])
        assert np.ptp(moves[:, :3, 3], axis=0).max() > 0.05
