"""Policies from pixels learn, resume, are exported and judged."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from demonstrations_kit import write_episodes
from lerobot_kit import Layout, write_lerobot
from pixel_demonstrations import HORIZON, OBSERVATION, demonstrations
from runs import Rows, assert_same, dotted, tiny_spec
from safetensors.torch import load_file
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.core.manifests.action_spec import ACTION_NAMES
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.export.measuring.demonstrations import JudgeOptions, measure_demonstrations
from robot_vision.model_store.policies import find_policy
from robot_vision.models.weights import read_weights
from robot_vision.training.data.demonstrations.batches import DemonstrationBatch
from robot_vision.training.data.demonstrations.sets import learnt_and_held_out
from robot_vision.training.data.judging.path_sheet import TAUGHT_COLOR
from robot_vision.training.demonstrations.demonstrations import (
    Demonstrations,
    open_demonstrations,
)
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.run import build_run

FRONT = ObservationSpec(
    cameras=(CameraInput(name="front", width_px=64, height_px=32, has_depth=True),)
)
OPENER = "robot_vision.training.data.demonstrations.sets.open_demonstrations"


def recipe_for(**overrides: object) -> Recipe:
    values: dict[str, Any] = {
        "task": "demonstrations",
        "model": "pixel-policy",
        "spec": tiny_spec("pixel-policy"),
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


@pytest.fixture(scope="module", autouse=True)
def sets() -> Iterator[None]:
    """Sets in memory by their names, `train:24` of 24 episodes, beside those on disk."""

    def open_sets(folders: list[str], **options: Any) -> Demonstrations:
        name, _, count = folders[0].partition(":")
        if not count:
            return open_demonstrations(folders, **options)
        seen = options["observation"]
        return demonstrations(int(count), seed=len(name), observation=seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OPENER, open_sets)
        yield


def test_a_batch_depends_on_recipe_and_step_alone() -> None:
    recipe = recipe_for(run__batch_size=4)
    found = [batches_of(recipe, first_step) for first_step in (3, 4, 5)]
    (_, fourth), (again, _), (fifth, _) = found
    for one, other in zip(fourth.moments, again.moments, strict=True):
        assert_same(one, other)
    assert torch.equal(fourth.action, again.action)
    assert not torch.equal(fifth.action, again.action)


def batches_of(recipe: Recipe, first_step: int) -> tuple[DemonstrationBatch, DemonstrationBatch]:
    """Two batches that follow each other, of a run as it would go on there."""
    with closing(build_run(recipe).task.batches(first_step, 0.0)) as batches:
        return next(batches), next(batches)


def test_a_fusion_with_a_memory_is_shown_several_moments() -> None:
    plain, _ = batches_of(recipe_for(run__batch_size=2), 0)
    assert len(plain.moments) == 1
    memory = {"name": "memory", "options": {}}
    remembered, _ = batches_of(recipe_for(run__batch_size=2, spec__fusion=memory), 0)
    assert len(remembered.moments) == 4


@pytest.mark.parametrize("fusion", ["transformer", "memory"])
def test_it_trains_and_resumes_bit_for_bit(fusion: str, tmp_path: Path) -> None:
    recipe = recipe_for(
        run__steps=2,
        run__round_steps=1,
        run__batch_size=4,
        spec__fusion={"name": fusion, "options": {}},
        options__val_sets=["val:2"],
    )
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(recipe, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "cut")))


@pytest.mark.slow
def test_it_learns_more_than_trivial_answers(tmp_path: Path) -> None:
    """A hundred episodes of two blocks do not suffice to go to the named one each time."""
    recipe = recipe_for(
        run__steps=800,
        run__round_steps=100,
        options__train_sets=["train:100"],
        spec__width=48,
        spec__patches=4,
        spec__head={"name": "mlp", "options": {"hidden": 64, "blocks": 2}},
    )
    reporter = Rows()
    train(recipe, tmp_path / "run", reporter=reporter)
    best = min(reporter.rows, key=lambda row: row["error"])  # its weights are kept
    assert best["end_m"] < 0.95 * best["end_m_hold"]
    assert best["error"] < 0.65 * best["error_mean"]


def test_figures_stand_beside_those_of_trivial_answers(tmp_path: Path) -> None:
    reporter = Rows()
    train(recipe_for(run__steps=2, run__batch_size=4), tmp_path, reporter=reporter)
    last = reporter.rows[-1]
    trivial = [last[f"error_{name}"] for name in ("repeat", "mean", "hold")]
    assert last["skill"] == pytest.approx(1 - last["error"] / min(trivial))
    assert last["gripper_changes"] > 0
    assert last["end_m_hold"] > last["end_m_repeat"] > 0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set on disk, a run that learnt from it for a step, and its bundle: by the commands."""
    root = tmp_path_factory.mktemp("policy")
    write_episodes(root / "set", [4, 5], words="pick the red cube")
    memory = {"name": "memory", "options": {"moments": 3}}
    recipe = {
        "task": "demonstrations",
        "model": "pixel-policy",
        "spec": tiny_spec("pixel-policy") | {"freeze_encoder": True, "fusion": memory},
        "run": {"steps": 1, "batch_size": 2, "rounds_per_evaluation": 1},
        "options": {
            "train_sets": [str(root / "set")],
            "val_sets": [str(root / "set")],
            "observation": FRONT.model_dump(mode="json"),
            "horizon": 3,
            "cache_features": True,
            "cache_dir": str(root / "cache"),
        },
    }
    (root / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    invoke("train", root / "recipe.yaml", "--out", root / "run")
    invoke("export", root / "run", "--out", root / "bundle")
    return root


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_bundle_says_what_it_saw_and_how_exact_it_is(folders: Path) -> None:
    manifest = find_policy(str(folders / "bundle")).manifest
    assert (manifest.kind, manifest.observation) == ("pixels", FRONT)
    assert manifest.vocabulary is not None
    assert manifest.vocabulary.words == ("cube", "pick", "red", "the")
    assert manifest.action_spec.horizon == 3
    assert manifest.action_spec.step_s == pytest.approx(0.05)
    assert len(manifest.identity) == 64
    assert manifest.metrics["onnx_against_torch_max"] < 1e-4
    assert manifest.metrics["learnt_from"] == [str(folders / "set")]


def test_a_bundle_is_judged_as_it_was_while_it_trained(folders: Path) -> None:
    out = folders / "judged"
    cache = ("--cache", folders / "cache")
    output = invoke(
        "evaluate",
        "demonstrations",
        folders / "bundle",
        *("--data", folders / "set", "--out", out, *cache, "--tiles", 4),
    )
    assert "dimension" in output
    (trained,) = read_rows(folders / "run" / "curves.csv")
    report = json.loads((out / "metrics.json").read_text())
    for name in ("error", "end_m", "gripper_accuracy", "error_hold"):
        assert report["figures"][name] == pytest.approx(float(trained[name]), rel=0.02), name
    rows = list(csv.DictReader((out / "errors.csv").read_text().splitlines()))
    assert len(rows) == 4 * 3
    assert set(rows[0]) == {"answer", "step", *ACTION_NAMES}
    drawn = cv2.imread(str(out / "paths.png"))
    assert drawn is not None
    assert (drawn[..., ::-1] == TAUGHT_COLOR).all(axis=-1).any()


def test_a_set_of_another_rate_is_not_a_judge(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slower(*_: object, **__: object) -> object:
        single = OBSERVATION.model_copy(update={"steps": 1})
        return replace(demonstrations(2, seed=1, observation=single), step_s=0.2)

    monkeypatch.setattr(OPENER, slower)
    policy = find_policy(str(folders / "bundle"))
    with pytest.raises(
        ConfigError, match=r"a step every 0\.2 s, the policy's chunks every 0\.05 s"
    ):
        measure_demonstrations(policy, Path("x"), out=tmp_path, options=JudgeOptions())


def test_held_out_sets_fit_those_of_the_training(tmp_path: Path) -> None:
    """Sets of another rate, or of other actions, do not judge a policy."""
    joints = {"columns": [0], "angle_unit": "rad", "names": ["slide"]}
    gripper = {"column": 1, "closed": 0, "open": 10}
    meaning = {
        "action": {"joints": joints, "kind": "absolute", "gripper": gripper},
        "state": {"joints": joints, "gripper": gripper},
    }
    (tmp_path / "meaning.yaml").write_text(json.dumps(meaning))
    foreign = write_lerobot(tmp_path / "foreign", Layout(dtype="image"))
    faster = json.loads((foreign / "meta/info.json").read_text()) | {"fps": 20}
    stamps = pa.array(np.r_[0:3, 0:4] / 20)
    other = write_lerobot(tmp_path / "other", Layout(dtype="image", columns={"timestamp": stamps}))
    (other / "meta/info.json").write_text(json.dumps(faster))
    write_episodes(tmp_path / "ours", [4])

    def refused(train_set: Path, val_set: Path, state: str) -> str:
        seen = ObservationSpec.model_validate({"state": state, "words": "none"})
        recipe = recipe_for(
            options__train_sets=[str(train_set)],
            options__val_sets=[str(val_set)],
            options__meaning=str(tmp_path / "meaning.yaml"),
            options__observation=seen.model_dump(mode="json"),
            options__cache_dir=str(tmp_path / "cache"),
        )
        with pytest.raises(ConfigError) as error:
            build_run(recipe)
        return str(error.value)

    assert f"{other} has a step every 0.05 s" in refused(foreign, other, "joints")
    ours = refused(other, tmp_path / "ours", "none")
    assert f"actions of {tmp_path / 'ours'} are steps of the tool, the policy's positions" in ours


def test_a_share_of_the_episodes_is_held_out_where_there_is_no_val_set() -> None:
    options = recipe_for(options__val_sets=[], options__val_share=0.25).options
    learnt, held_out = learnt_and_held_out(options)
    assert held_out is not None
    assert (len(learnt.numbers), len(held_out.numbers)) == (18, 6)
    assert not set(learnt.numbers) & set(held_out.numbers)
    assert not set(learnt.rows) & set(held_out.rows)
    assert len(learnt.numbers_alone().state) == len(learnt.rows)
    again = learnt_and_held_out(options)[0]
    assert np.array_equal(again.numbers, learnt.numbers)


def test_failures_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(demonstrations(3, seed=1), success=(True, False, None))
    monkeypatch.setattr(OPENER, lambda *_, **__: source)
    options = recipe_for(options__val_sets=[], options__val_share=0).options
    learnt, held_out = learnt_and_held_out(options)
    assert held_out is None
    assert learnt.numbers.tolist() == [0, 2]
    source = replace(source, success=(False,) * 3)
    with pytest.raises(ConfigError, match="marked as failures"):
        learnt_and_held_out(options)


def test_recipes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="train_sets is empty"):
        build_run(recipe_for(options__train_sets=[]))
    with pytest.raises(ConfigError, match=r"spec\.freeze_encoder=true"):
        build_run(recipe_for(options__cache_features=True))
    close = OBSERVATION.model_copy(update={"step_s": 0.05}).model_dump(mode="json")
    with pytest.raises(ConfigError, match=r"a picture every 0\.1 s"):
        build_run(recipe_for(options__train_sets=["train:2"], options__observation=close))
    with pytest.raises(UnknownNameError, match=r"unknown fusion 'lat'.*did you mean 'late'"):
        build_run(recipe_for(spec__fusion__name="lat", options__train_sets=["/no/such/set"]))
    fold = recipe_for(options__val_sets=[], options__val_share=0.25, options__val_fold=4)
    with pytest.raises(ConfigError, match="24 episodes with 6 held out have the folds 0 to 3"):
        build_run(fold)


def test_episodes_without_words_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(demonstrations(3, seed=1), instructions=(("go",), ("",), ()))
    monkeypatch.setattr(OPENER, lambda *_, **__: source)
    notes = build_run(recipe_for(options__val_sets=[], options__val_share=0)).task.notes()
    assert "2 episodes have no instruction: they are shown without words" in notes


def test_words_of_a_start_keep_their_rows(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = folders / "run" / "weights.safetensors"
    run, known = build_run(recipe_for(run__init_weights=str(start))), read_weights(start)
    assert "do not know: block, blue" in capsys.readouterr().err
    before, after = known.tensors["sight.language.word.weight"], run.model.state_dict()
    words = known.travels["vocabulary"]["words"]
    ours = run.task.travels()["vocabulary"]["words"]
    for row, word in enumerate(ours, start=1):
        wanted = before[1 + words.index(word)] if word in words else before[1:].mean(0)
        torch.testing.assert_close(after["sight.language.word.weight"][row], wanted)
