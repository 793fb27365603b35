"""Policies from pixels: what their batches hold, that they learn, resume, export and are judged."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pixel_demonstrations import COLORS, HORIZON, OBSERVATION, demonstrations
from runs import Rows, assert_same, dotted
from safetensors.torch import load_file

from robot_vision.export.bundle import export_run
from robot_vision.model_store.policies import find_policy
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipe import Recipe
from robot_vision.training.engine.recipe_file import recipe_of
from robot_vision.training.engine.task import TASKS


def recipe_for(**overrides: object) -> Recipe:
    values: dict[str, Any] = {
        "task": "demonstrations",
        "model": "pixel-policy",
        "spec": tiny_pixels(),
        "run": {"batch_size": 16, "round_steps": 20, "rounds_per_evaluation": 1, "ema_decay": 0.9},
        "optimizer": {"learning_rate": 0.003, "warmup_steps": 5},
        "options": {
            "train_sets": ["train:24"],
            "val_sets": ["val:6"],
            "observation": OBSERVATION.model_dump(mode="json"),
            "horizon": HORIZON,
        },
    }
    return recipe_of(values, dotted(overrides))


def tiny_pixels() -> dict[str, Any]:
    of_the_data = ("observation", "horizon", "actions", "words", "max_words")
    spec = MODELS.get("pixel-policy").tiny.model_dump(mode="json")
    return {name: value for name, value in spec.items() if name not in of_the_data}


def in_memory(patch: pytest.MonkeyPatch) -> None:
    """Sets by their names: `train:24` has 24 episodes."""

    def open_sets(folders: list[str], **_: object) -> object:
        (name, count), *_ = (folder.split(":") for folder in folders)
        return demonstrations(int(count), seed=len(name))

    patch.setattr("robot_vision.training.data.demonstration_sets.open_demonstrations", open_sets)


@pytest.fixture(autouse=True)
def sets(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory(monkeypatch)


def batch_of(recipe: Recipe, step: int) -> Any:
    task = TASKS.get("demonstrations")(recipe, torch.device("cpu"))
    batches = task.batches(step, 0.0)
    found = next(batches)
    batches.close()
    return found


def test_a_batch_depends_on_recipe_and_step_alone() -> None:
    recipe = recipe_for()
    task = TASKS.get("demonstrations")(recipe, torch.device("cpu"))
    batches = task.batches(3, 0.0)
    _, fifth = next(batches), next(batches)
    batches.close()
    again = batch_of(recipe, 4)
    for one, other in zip(fifth.moments, again.moments, strict=True):
        assert_same(one, other)
    assert torch.equal(fifth.action, again.action)
    assert not torch.equal(batch_of(recipe, 5).action, again.action)


def test_it_trains_and_resumes_bit_for_bit(tmp_path: Path) -> None:
    recipe = recipe_for(run__steps=4, run__round_steps=2, run__batch_size=4)
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(recipe, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "cut")))


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[dict[str, float]]]:
    with pytest.MonkeyPatch.context() as patch:
        in_memory(patch)
        folder, reporter = tmp_path_factory.mktemp("run"), Rows()
        train(recipe_for(run__steps=160, run__round_steps=80), folder, reporter=reporter)
    return folder, reporter.rows


def test_it_learns_more_than_the_trivial_answers_know(
    run: tuple[Path, list[dict[str, float]]],
) -> None:
    last = run[1][-1]
    assert last["skill"] > 0.2
    assert last["error"] < min(last[f"error_{name}"] for name in ("repeat", "mean", "hold"))
    assert last["end_m"] < last["end_m_hold"]
    assert last["gripper_changes"] > 0


def test_the_bundle_says_what_it_saw_and_how_good_it_is(
    run: tuple[Path, list[dict[str, float]]], tmp_path: Path
) -> None:
    export_run(run[0], tmp_path / "reach")
    manifest = find_policy(str(tmp_path / "reach")).manifest
    assert manifest.kind == "pixels"
    assert manifest.observation == OBSERVATION
    assert manifest.vocabulary is not None
    assert set(COLORS) <= set(manifest.vocabulary.words)
    assert manifest.action_spec.horizon == HORIZON
    assert manifest.action_spec.step_s == pytest.approx(0.1)
    assert len(manifest.identity) == 64
    assert manifest.metrics["skill"] == pytest.approx(run[1][-1]["skill"], abs=1e-3)
    assert manifest.metrics["onnx_against_torch_max"] < 1e-4
