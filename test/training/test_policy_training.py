"""Imitation on a made-up table: the policy learns to point at what is named and to go there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from policy_cases import MODEL_ID, Brick, observe
from policy_episodes import COLORS, VOCABULARY, random_scene, write_episodes
from runs import Rows, assert_same, dotted
from safetensors.torch import load_file

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.types import Decision, Observation
from robot_vision.export.bundle import export_run
from robot_vision.model_store.policies import find_policy
from robot_vision.models.weights import read_weights
from robot_vision.policies.observing.target_memory import SURE_S
from robot_vision.policies.onnx_policy import NETWORK_INPUTS, OnnxPolicy
from robot_vision.policies.registry import load_policy
from robot_vision.policies.session import open_policy_session
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import build_run


def recipe_for(train_set: Path, val_set: Path, **overrides: object) -> Recipe:
    values: dict[str, Any] = {
        "task": "policy",
        "model": "policy-s",
        "run": {
            "batch_size": 48,
            "round_steps": 40,
            "rounds_per_evaluation": 1,
            "ema_decay": 0.96,
        },
        "optimizer": {
            "learning_rate": 0.002,
            "last_learning_rate": 0.02,
            "weight_decay": 0.03,
            "warmup_steps": 20,
            "gradient_norm": 1.0,
        },
        "options": {
            "train_sets": [str(train_set)],
            "val_sets": [str(val_set)],
            "val_samples": 300,
        },
    }
    return recipe_of(values, dotted(overrides))


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("episodes")
    return (
        write_episodes(root / "train", count=24, seed=1),
        write_episodes(root / "val", count=6, seed=2),
    )


@pytest.fixture(scope="module")
def run(
    episodes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, float]]]:
    folder, reporter = tmp_path_factory.mktemp("run"), Rows()
    train(recipe_for(*episodes, run__steps=240), folder, reporter=reporter)
    return folder, reporter.rows


@pytest.fixture(scope="module")
def bundle(run: tuple[Path, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    export_run(run[0], folder)
    return folder


def test_it_learns_to_point_to_hold_and_to_move(
    run: tuple[Path, list[dict[str, float]]],
) -> None:
    last = run[1][-1]
    assert last["val_target"] > 0.9
    assert last["val_held"] > 0.8
    assert last["val_place"] < 0.25
    assert last["action"] < 0.6 * run[1][0]["action"]


def decide(policy: OnnxPolicy, observation: Observation, words: str) -> Decision:
    """What it decides once it has seen the same for long enough to be sure."""
    instruction = policy.instruct(words)
    first = policy.decide(observation, instruction)
    assert first.action is None
    later_ns = observation.stamp_ns + round(2 * SURE_S * NS_PER_S)
    later = replace(observation.perception, stamp_ns=later_ns)
    return policy.decide(replace(observation, perception=later), instruction)


def test_the_bundle_does_what_the_words_say_and_says_why_it_holds(bundle: Path) -> None:
    policy = load_policy(str(bundle), threads=1)
    rng = np.random.default_rng(7)
    right = 0
    for _ in range(20):
        bricks, names, robot = random_scene(rng)
        observation = observe(bricks, robot=robot)
        for row, color in enumerate(names):
            decision = decide(policy, observation, f"go to the {color} brick")
            if decision.target_track_id != 5 + row or decision.action is None:
                continue
            step = decision.action[0, :3] * policy.spec.statistics.scale[:3]
            wanted = np.array([*bricks[row].centre_m, 0.05]) - robot.base_from_tool[:3, 3]
            right += bool(
                np.dot(step, wanted) > 0.8 * np.linalg.norm(step) * np.linalg.norm(wanted)
            )
            assert decision.attention is not None
            assert decision.attention.sum() == pytest.approx(1, abs=1e-4)
    assert right >= 34
    bricks, names, robot = random_scene(rng)
    absent = next(color for color in COLORS if color not in names)
    held = decide(policy, observe(bricks, robot=robot), f"go to the {absent} brick")
    assert held.action is None
    assert absent in held.hold_reason


def test_unknown_words_and_foreign_features_hold_with_the_reason(bundle: Path) -> None:
    policy = load_policy(str(bundle), threads=1)
    observation = observe([Brick(centre_m=(0.5, 0.0))])
    refused = policy.decide(observation, policy.instruct("go to the red gizmo"))
    assert refused.action is None
    assert "gizmo" in refused.hold_reason
    other = replace(observation.perception, model_id="other@2")
    foreign = policy.decide(
        replace(observation, perception=other), policy.instruct("go to the red brick")
    )
    assert foreign.action is None
    assert "other@2" in foreign.hold_reason
    assert MODEL_ID in foreign.hold_reason


def test_a_damaged_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "damaged"
    shutil.copytree(bundle, copy)
    (copy / "policy.onnx").write_bytes((copy / "policy.onnx").read_bytes()[:-1] + b"x")
    with pytest.raises(BundleError, match="damaged"):
        find_policy(str(copy))


def test_a_network_of_another_make_is_refused(bundle: Path) -> None:
    with pytest.raises(
        BundleError, match=r"inputs tokens; expected text, .*bias: export it again"
    ):
        open_policy_session(bundle / "language.onnx", inputs=NETWORK_INPUTS, threads=1)


def test_a_policy_for_other_tokens_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robot_vision.policies.onnx_policy.OBJECT_WIDTH", 7)
    with pytest.raises(BundleError, match=r"objects of shape .*; this version makes \[1, 16, 7\]"):
        load_policy(str(bundle))


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(
    episodes: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = recipe_for(
        *episodes,
        run__batch_size=8,
        run__round_steps=3,
        run__steps=6,
        options__val_samples=20,
        options__loaders=2,
    )
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "parts", reporter=Rows(stop_after=1))
    state = train(recipe, tmp_path / "parts", reporter=Rows())
    assert state.step == 6
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "parts")))


def test_words_and_units_travel_with_the_weights(run: tuple[Path, object]) -> None:
    weights = read_weights(run[0] / "weights.safetensors")
    assert weights.model == "policy-s"
    assert weights.spec["words"] == len(VOCABULARY.words)
    assert tuple(weights.travels["vocabulary"]["words"]) == VOCABULARY.words
    assert len(weights.travels["statistics"]["scale"]) == 7
    assert weights.travels["shown"]["perception_model_id"] == MODEL_ID


def test_words_of_a_start_keep_their_rows(
    run: tuple[Path, object], episodes: tuple[Path, Path], tmp_path: Path
) -> None:
    words = (*reversed(VOCABULARY.words), "cube")
    other = VOCABULARY.model_copy(update={"words": words})
    folder = write_episodes(tmp_path / "set", count=1, seed=5, vocabulary=other)
    start = run[0] / "weights.safetensors"
    model = build_run(recipe_for(folder, folder, run__init_weights=str(start))).model
    before = load_file(start)["language.word.weight"]
    after = model.state_dict()["language.word.weight"]
    for row, word in enumerate(words[:-1], start=1):
        assert torch.equal(after[row], before[1 + VOCABULARY.words.index(word)])
    cube = after[words.index("cube") + 1]
    torch.testing.assert_close(cube, before[1:].mean(0))
    mixed = recipe_for(folder, folder, run__steps=1)
    mixed.options.train_sets.append(str(episodes[0]))
    with pytest.raises(ConfigError, match="cube"):
        train(mixed, tmp_path / "run", reporter=Rows())


def test_an_instruction_outside_the_vocabulary_is_an_error(tmp_path: Path) -> None:
    small = VOCABULARY.model_copy(update={"words": ("go", "to", "the", "red", "brick")})
    folder = write_episodes(tmp_path / "set", count=1, seed=5, vocabulary=small)
    with pytest.raises(ConfigError, match="cannot be learnt: unknown words"):
        train(recipe_for(folder, folder, run__steps=1), tmp_path / "run", reporter=Rows())


def test_a_policy_needs_episodes(tmp_path: Path) -> None:
    recipe = recipe_of({"task": "policy", "model": "policy-s", "run": {"steps": 1}})
    with pytest.raises(ConfigError, match="train_sets is empty"):
        train(recipe, tmp_path / "run", reporter=Rows())
