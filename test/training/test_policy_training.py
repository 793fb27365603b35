"""Imitation on a made-up table: the policy learns to point at what is named and to go there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from policy_cases import CLASS_NAMES, MODEL_ID, Brick, observe, robot_at

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.policy_manifest import Vocabulary
from robot_vision.core.types import Decision, Observation
from robot_vision.export.policy_bundle import export_policy_run
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.observation import encode_observation
from robot_vision.policies.onnx_policy import NETWORK_INPUTS, OnnxPolicy
from robot_vision.policies.registry import load_policy
from robot_vision.policies.session import open_policy_session
from robot_vision.policies.target_memory import SURE_S
from robot_vision.policies.tokens import NONE, POINTABLE
from robot_vision.rollouts.episode_files import (
    Sample,
    SetDescription,
    save_episode,
    write_description,
)
from robot_vision.training.engine.checkpoint import load_weights_file
from robot_vision.training.tasks.policy import train_policy
from robot_vision.training.tasks.policy_recipe import (
    PolicyRecipe,
    load_policy_recipe,
    save_policy_recipe,
)

HORIZON = 4
COLORS = {"red": (200, 30, 30), "blue": (30, 40, 210), "green": (30, 170, 40)}
VOCABULARY = Vocabulary(
    words=("go", "to", "the", "move", "red", "blue", "green", "brick", "block"),
    things=("brick", "block"),
    actions=("go", "move"),
)
STEP_M = 0.02


class Silent:
    """Keeps the rows of the log."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_step(self, part: float) -> None:
        del part

    def on_round(self, row: dict[str, float]) -> None:
        self.rows.append(row)


def texts_for(color: str) -> tuple[str, ...]:
    return f"go to the {color} brick", f"move to the {color} block"


def towards(distance_m: np.ndarray) -> np.ndarray:
    """The made-up expert: straight there, `STEP_M` a step."""
    action = np.zeros((HORIZON, 7), np.float32)
    left = distance_m.copy()
    for row in action:
        length = max(float(np.linalg.norm(left)), 1e-9)
        row[:3] = left * min(1.0, STEP_M / length)
        row[6] = 1.0
        left -= row[:3]
    return action


def random_scene(rng: np.random.Generator) -> tuple[list[Brick], list[str], object]:
    names = [str(n) for n in rng.permutation(list(COLORS))[:2]]
    bricks = [
        Brick(
            centre_m=(float(rng.uniform(0.4, 0.6)), float(y + rng.uniform(-0.04, 0.04))),
            rgb=COLORS[name],
        )
        for name, y in zip(names, (-0.08, 0.08), strict=True)
    ]
    tool = (float(rng.uniform(0.35, 0.65)), float(rng.uniform(-0.2, 0.2)), 0.2)
    return bricks, names, robot_at(tool)


def write_episodes(folder: Path, *, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    write_description(
        folder,
        SetDescription(
            perception_model_id=MODEL_ID, class_names=CLASS_NAMES, history=2, step_s=0.05
        ),
    )
    for number in range(count):
        frames = []
        for _ in range(16):
            bricks, names, robot = random_scene(rng)
            inputs = encode_observation(observe(bricks, robot=robot), history=2)
            samples = []
            for color in COLORS:
                pointers = np.zeros((2, POINTABLE), bool)
                pointers[1, NONE] = True
                action = None
                if color in names:
                    row = names.index(color)
                    pointers[0, row] = True
                    place = np.array([*bricks[row].centre_m, 0.05])
                    action = towards(place - robot.base_from_tool[:3, 3])
                else:
                    pointers[0, NONE] = True
                samples.append(Sample(texts=texts_for(color), pointers=pointers, action=action))
            frames.append((inputs, samples))
        save_episode(folder / f"{number:05d}.npz", frames, horizon=HORIZON)
    return folder


def recipe_for(train: Path, val: Path, **values: object) -> PolicyRecipe:
    return PolicyRecipe.model_validate(
        {
            "train_sets": [str(train)],
            "val_sets": [str(val)],
            "batch_size": 48,
            "round_steps": 40,
            "warmup_steps": 20,
            "ema_decay": 0.96,
            "val_samples": 300,
            "learning_rate": 0.002,
            **values,
        }
    )


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
    folder, reporter = tmp_path_factory.mktemp("run"), Silent()
    train_policy(
        recipe_for(*episodes, steps=240), folder, vocabulary=VOCABULARY, reporter=reporter
    )
    return folder, reporter.rows


@pytest.fixture(scope="module")
def bundle(run: tuple[Path, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    export_policy_run(run[0], folder, version="1")
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
    with pytest.raises(BundleError, match=r"takes tokens; expected text, .*bias: export it again"):
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
    values = {"batch_size": 8, "round_steps": 3, "val_samples": 20, "steps": 6}
    whole = recipe_for(*episodes, **values)
    train_policy(whole, tmp_path / "whole", vocabulary=VOCABULARY, reporter=Silent())

    class Stop(Exception):
        pass

    class Stopping(Silent):
        def on_round(self, row: dict[str, float]) -> None:
            super().on_round(row)
            raise Stop

    with pytest.raises(Stop):
        train_policy(whole, tmp_path / "parts", vocabulary=VOCABULARY, reporter=Stopping())
    state = train_policy(whole, tmp_path / "parts", vocabulary=VOCABULARY, reporter=Silent())
    assert state.step == 6
    one, _ = load_weights_file(tmp_path / "whole" / "weights.safetensors")
    other, _ = load_weights_file(tmp_path / "parts" / "weights.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_instruction_outside_the_vocabulary_is_an_error(
    episodes: tuple[Path, Path], tmp_path: Path
) -> None:
    small = VOCABULARY.model_copy(update={"words": ("go", "to", "the", "red", "brick")})
    with pytest.raises(ConfigError, match="cannot be learnt: unknown words"):
        train_policy(recipe_for(*episodes, steps=1), tmp_path, vocabulary=small, reporter=Silent())


def test_the_recipe_of_the_package_is_accepted_and_kept(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "config" / "recipes" / "policy_s.yaml"
    recipe = load_policy_recipe(file)
    assert recipe.steps or recipe.budget_minutes
    save_policy_recipe(recipe, tmp_path / "kept.yaml")
    assert load_policy_recipe(tmp_path / "kept.yaml") == recipe
