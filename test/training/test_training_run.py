"""Runs: resumed equals uninterrupted, bounds hold, other classes start from shipped weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from robot_vision.core.config import with_values
from robot_vision.core.errors import ConfigError
from robot_vision.training.engine.checkpoint import RunState
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.loop import (
    learning_rate_factor,
    progress,
    resolution_at,
    train,
)
from robot_vision.training.engine.old_recipe import Recipe, load_recipe


class Rows:
    """Keeps what a run reports; stops it after some rounds, as a power cut would."""

    def __init__(self, stop_after: int = 0) -> None:
        self.rows: list[dict[str, float]] = []
        self._stop_after = stop_after

    def on_step(self, part: float) -> None:
        assert 0 < part <= 1

    def on_round(self, row: dict[str, float]) -> None:
        self.rows.append(row)
        if len(self.rows) == self._stop_after:
            raise KeyboardInterrupt


def recipe_for(shapes_set: Path, cache: Path, **values: object) -> Recipe:
    return with_values(
        Recipe(),
        {
            "train_set": str(shapes_set),
            "cache_dir": str(cache),
            "steps": 6,
            "round_steps": 2,
            "batch_size": 4,
            "warmup_steps": 2,
            "rounds_per_evaluation": 0,
            "resolutions": [
                {"until": 0.5, "width_px": 64, "height_px": 64},
                {"width_px": 128, "height_px": 96},
            ],
        }
        | values,
    )


def test_a_resumed_run_equals_an_uninterrupted_one(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(shapes_set, tmp_path / "cache")
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    rest = Rows()
    train(recipe, tmp_path / "cut", reporter=rest)
    assert [row["step"] for row in rest.rows] == [4, 6]
    whole, cut = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    for name in whole:
        assert torch.equal(whole[name], cut[name]), name


def test_a_run_leaves_its_record(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(
        shapes_set, tmp_path / "cache", val_set=str(shapes_set), rounds_per_evaluation=3
    )
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    assert load_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    logged = read_rows(tmp_path / "run" / "curves.csv")
    assert [float(row["step"]) for row in logged] == [2, 4, 6]
    assert 0 <= float(logged[-1]["AP"]) <= 1
    assert (tmp_path / "run" / "weights.safetensors").exists()


def test_a_run_needs_a_bound_and_a_set(tmp_path: Path, shapes_set: Path) -> None:
    with pytest.raises(ConfigError, match="budget_minutes"):
        train(recipe_for(shapes_set, tmp_path, steps=0), tmp_path / "run", reporter=Rows())
    with pytest.raises(ConfigError, match="nowhere"):
        train(recipe_for(tmp_path / "nowhere", tmp_path), tmp_path / "run", reporter=Rows())


def test_a_checkpoint_of_another_model_is_refused(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(shapes_set, tmp_path / "cache", steps=2)
    train(recipe, tmp_path / "run", reporter=Rows())
    other = with_values(recipe, {"model": "native-m"})
    with pytest.raises(ConfigError, match="cannot resume"):
        train(other, tmp_path / "run", reporter=Rows())


def test_fine_tuning_takes_all_but_the_classes(
    shapes_set: Path, boxes_set: Path, tmp_path: Path
) -> None:
    train(recipe_for(shapes_set, tmp_path / "a", steps=2), tmp_path / "base", reporter=Rows())
    base = tmp_path / "base" / "weights.safetensors"
    tuned = recipe_for(
        boxes_set, tmp_path / "b", steps=1, init_weights=str(base), learning_rate=1e-7
    )
    train(tuned, tmp_path / "tuned", reporter=Rows())
    before, after = load_file(base), load_file(tmp_path / "tuned" / "weights.safetensors")
    name = "encoder.stem.0.weight"
    assert torch.allclose(before[name], after[name], atol=1e-5)


def test_progress_is_by_steps_or_time_whichever_is_further() -> None:
    recipe = with_values(Recipe(), {"steps": 100, "budget_minutes": 10.0})
    assert progress(recipe, RunState(step=50, trained_s=60)) == pytest.approx(0.5)
    assert progress(recipe, RunState(step=10, trained_s=300)) == pytest.approx(0.5)


def test_size_and_learning_rate_follow_the_run(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(shapes_set, tmp_path)
    assert resolution_at(recipe, 0.49).width_px == 64
    assert resolution_at(recipe, 0.5).width_px == 128
    assert learning_rate_factor(recipe, 0, 0.0) == pytest.approx(0.5)
    assert learning_rate_factor(recipe, 100, 0.0) == pytest.approx(1.0)
    assert learning_rate_factor(recipe, 100, 1.0) == pytest.approx(0.01)


def test_patience_ends_a_run_that_no_longer_improves(shapes_set: Path, tmp_path: Path) -> None:
    recipe = recipe_for(
        shapes_set,
        tmp_path / "cache",
        val_set=str(shapes_set),
        rounds_per_evaluation=1,
        patience=1,
        learning_rate=1e-9,
        steps=40,
        resolutions=[{"width_px": 64, "height_px": 64}],
    )
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    assert rows.rows[-1]["step"] < 40
