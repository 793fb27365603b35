"""A policy from pixels leads, and the expert says what it should have done."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("mujoco") is None:  # not imported here: `gl` chooses the way to render first
    pytest.skip("mujoco is not installed", allow_module_level=True)

from pixel_stand_in import StandIn, shown

from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episode_set import LerobotSet
from robot_vision.datasets.lerobot.sample import stepped
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.rollouts.collecting import corrections
from robot_vision.rollouts.collecting.corrections import record_corrected
from robot_vision.simulation.robot.demonstrate import demonstrate
from robot_vision.simulation.robot.recipe import DemonstrationRecipe
from robot_vision.training.demonstrations.demonstrations import open_demonstrations
from robot_vision.training.demonstrations.numbers import episode_numbers


@pytest.mark.parametrize("share", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_every_row_is_taught_a_chunk_from_the_tool_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, share: float
) -> None:
    policy = StandIn(shown("front"), {}, lambda *_: np.zeros(2))
    monkeypatch.setattr(corrections, "policy_of", lambda _: policy)
    recipe = DemonstrationRecipe(
        seed=1,
        split="train",
        tasks=("lift",),
        size_px=(64, 48),
        wrist_size_px=None,
        depth=False,
        policy="stand-in",
        expert_share=share,
    )
    folder, room = tmp_path / "set", DiskLimits(min_free_bytes=0)
    demonstrate(folder, recipe, episodes=1, record=record_corrected, limits=room)
    assert problems(folder) == []
    episodes = LerobotSet(folder)
    actions = episodes.actions(0)
    assert actions is not None
    assert actions.taught is not None
    np.testing.assert_allclose(actions.taught[:, 0], actions.values, atol=1e-6)
    with Dataset(folder) as dataset:
        assert dataset.form is not None
        assert dataset.form.action.source == "corrected"
        # alone, the stand-in stays where it is; the expert gets the thing
        assert episodes.success(0) is (share == 1.0)
        for row in (0, len(dataset) - 1):
            step = dataset.step(0, row, cameras=[])
            reached = stepped(step.robot.base_from_tool, step.action)
            np.testing.assert_allclose(reached, step.base_from_target, atol=1e-5)
    meaning = Meaning.model_validate(episodes.said_meaning)
    numbers = episode_numbers(episodes, 0, meaning=meaning, observation=shown("front"), horizon=20)
    np.testing.assert_allclose(numbers.action[:, :16], actions.taught)
    assert numbers.valid[:, :16].all()
    assert not numbers.valid[:, 16:].any()
    episodes.close()
    # A policy that failed is no reason to leave out what it was taught.
    opened = open_demonstrations(
        [folder], observation=shown("front"), horizon=4, cache_dir=tmp_path / "cache"
    )
    assert opened.success == (None,)
