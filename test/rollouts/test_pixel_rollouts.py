"""Policies from pixels in closed loop: what they are shown, and how they are judged."""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

if find_spec("mujoco") is None:  # not imported here: `gl` chooses the way to render first
    pytest.skip("mujoco is not installed", allow_module_level=True)

from pixel_stand_in import StandIn, shown

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.rollouts.collecting import corrections
from robot_vision.rollouts.collecting.corrections import led_by
from robot_vision.rollouts.evaluating import evaluate
from robot_vision.rollouts.evaluating.closed_loop import ClosedLoop
from robot_vision.rollouts.evaluating.conditions import CONDITIONS, draw_trial
from robot_vision.rollouts.evaluating.evaluate import evaluate_policy
from robot_vision.rollouts.simulated_perception import SimulatedPerception
from robot_vision.simulation.robot.recipe import DemonstrationRecipe

SIZES = ((64, 48), (32, 24))


def stand_in(observation: ObservationSpec) -> StandIn:
    return StandIn(observation, {}, lambda *_: np.zeros(2))


def looked(condition: str, observation: ObservationSpec, frames: int) -> StandIn:
    """The policy after it was shown `frames` of a condition's first episode."""
    policy = stand_in(observation)
    trial = draw_trial(CONDITIONS[condition], seed=0, number=0, latency_s=0.06, sizes_px=SIZES)
    with trial.world as world:
        sight = SimulatedPerception(world, None, history=0, step_s=0.1, shown=observation)
        loop = ClosedLoop(
            sight, world, policy, trial.words, delays=trial.delays, withheld=trial.words_withheld
        )
        while len(policy.seen) < frames:
            loop.advance()
    return policy


def test_policy_cameras_are_shown_with_their_history_and_without_perception() -> None:
    policy = looked("lift_only", shown("front", "wrist", depth=True, steps=2), 3)
    first, *_, last = policy.seen
    assert [len(first.pictures[name]) for name in ("front", "wrist")] == [1, 1]
    for name, size in zip(("front", "wrist"), SIZES, strict=True):
        earlier, newest = last.pictures[name][-2:]
        assert newest.stamp_ns == last.stamp_ns
        assert newest.stamp_ns - earlier.stamp_ns == 100_000_000
        assert newest.rgb.shape == (size[1], size[0], 3)
        assert newest.depth_m is not None
        assert not np.array_equal(newest.rgb, earlier.rgb)
    assert len(last.perception.tracks) == 0
    assert policy.words[-1]


def test_a_camera_depth_and_words_can_be_taken_away() -> None:
    both = shown("front", "wrist", depth=True)
    one_eyed = looked("no_wrist", both, 1).seen[0].pictures
    assert [len(one_eyed[name]) for name in ("front", "wrist")] == [1, 0]
    blind = looked("no_depth", both, 1).seen[0]
    assert all(pictures[-1].depth_m is None for pictures in blind.pictures.values())
    assert looked("no_words", both, 1).words == [""]


@pytest.mark.parametrize(
    ("name", "count"), [("lift_only", 1), ("named_of_two", 2), ("named_of_three", 3), ("push", 1)]
)
def test_conditions_of_the_table_have_so_many_things(name: str, count: int) -> None:
    trial = draw_trial(CONDITIONS[name], seed=0, number=1, latency_s=0, sizes_px=SIZES)
    trial.world.close()
    assert len(trial.world.items) == count
    assert trial.task.kind == ("push" if name == "push" else "pick")


def test_the_other_of_two_is_named_in_the_same_scene() -> None:
    names = ("named_of_two", "named_swap", "no_words")
    trials = [draw_trial(CONDITIONS[n], seed=0, number=2, latency_s=0) for n in names]
    for trial in trials:
        trial.world.close()
    first, swapped, silent = trials
    assert np.array_equal(first.world.data.qpos, swapped.world.data.qpos)
    assert {first.task.target.item, swapped.task.target.item} == {0, 1}
    assert silent.task == first.task


def test_the_expert_shows_what_can_be_had(tmp_path: Path) -> None:
    options = {"episodes": 1, "seed": 3, "latency_s": 0.06, "processes": 1, "out": tmp_path}
    report = evaluate_policy("expert", conditions=["lift_only", "push"], **options)
    for found in report["conditions"].values():
        assert found["success"]["share"] == 1
        assert found["seen"] is None
    again = evaluate_policy("expert", conditions=["lift_only"], **options)
    assert again["conditions"]["lift_only"]["success"]["n"] == 1


def test_a_policy_from_pixels_is_evaluated_without_perception(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = stand_in(shown("front"))
    monkeypatch.setattr(evaluate, "policy_of", lambda _: policy)
    monkeypatch.setattr(
        evaluate, "find_policy", lambda _: SimpleNamespace(manifest=policy.manifest)
    )
    report = evaluate_policy(
        "stand-in",
        conditions=["absent"],
        episodes=1,
        seed=0,
        latency_s=0.06,
        processes=1,
        out=tmp_path,
    )
    found = report["conditions"]["absent"]
    assert found["success"]["share"] == 1  # it holds
    assert found["starved"] == 0
    assert policy.seen[0].pictures["front"][0].rgb.shape == (48, 64, 3)
    policy.manifest = stand_in(shown("side")).manifest
    with pytest.raises(ConfigError, match=r"\['side'\]; the simulated robot has front, wrist"):
        evaluate_policy(
            "stand-in", conditions=["lift_only"], episodes=1, seed=0, latency_s=0, processes=1
        )


def test_the_front_camera_is_where_the_policy_learnt_that_it_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = draw_trial(
        CONDITIONS["absent"], seed=9, number=9, latency_s=0, sizes_px=SIZES, fixed_camera=True
    )
    usual = trial.world.base_from_camera
    trial.world.close()
    turn = Rotation.from_matrix(usual[:3, :3]).as_rotvec()
    mount = CameraMount(position_m=tuple(usual[:3, 3]), rotation=tuple(turn))
    policy = stand_in(shown("front"))
    policy.manifest = policy.manifest.model_copy(update={"camera_mounts": {"front": mount}})
    found = SimpleNamespace(manifest=policy.manifest)
    monkeypatch.setattr(evaluate, "policy_of", lambda _: policy)
    for module in (evaluate, corrections):
        monkeypatch.setattr(module, "find_policy", lambda _: found)

    def report(**how: bool) -> dict[str, Any]:
        options = {"episodes": 1, "seed": 0, "latency_s": 0.06, "processes": 1, **how}
        return evaluate_policy("stand-in", conditions=["absent"], **options)

    at_its_place = report()
    assert (at_its_place["fixed_camera"], at_its_place["remarks"]) == (True, [])
    (remark,) = report(fixed_camera=False)["remarks"]
    assert "in 1 of 1 episodes cameras were not where the policy has them" in remark
    assert "camera front is" in remark
    assert "omit --no-fixed-camera" in remark
    recipe = DemonstrationRecipe(seed=0, split="train")
    assert led_by("stand-in", 0.3, recipe).fixed_camera
    assert not led_by("stand-in", 0.3, recipe, fixed_camera=False).fixed_camera
