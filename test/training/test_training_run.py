"""Runs: resumed equals uninterrupted, bounds hold, other classes start from shipped weights."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from runs import Rows, assert_same, shapes_recipe
from safetensors.torch import load_file, save_file
from small_disk import fill, small_disk

from robot_vision.core.errors import ConfigError
from robot_vision.models.weights import read_weights
from robot_vision.training.data.samples.batches import Resolution, resolution_at
from robot_vision.training.engine import checkpoint as checkpoint_module
from robot_vision.training.engine import loop as loop_module
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import OptimizerOptions, RunOptions
from robot_vision.training.engine.recipes.recipe_file import changed, load_recipe, save_recipe
from robot_vision.training.engine.stepping.schedule import RunState, learning_rate_factor, progress
from robot_vision.training.engine.stepping.step import DivergedError

STEM, HEAD = "encoder.stem.0.weight", "heads.0.classes.weight"


def test_a_resumed_run_equals_an_uninterrupted_one(shapes_set: Path, tmp_path: Path) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache")
    train(recipe, tmp_path / "whole", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    rest = Rows()
    train(recipe, tmp_path / "cut", reporter=rest)
    assert [row["step"] for row in rest.rows] == [4, 6]
    assert_same(
        *(load_file(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "cut"))
    )
    assert [row["step"] for row in read_rows(tmp_path / "cut" / "curves.csv")] == ["2", "4", "6"]


def test_a_run_leaves_its_record(shapes_set: Path, tmp_path: Path) -> None:
    recipe = shapes_recipe(
        shapes_set,
        tmp_path / "cache",
        options__val_set=str(shapes_set),
        run__rounds_per_evaluation=3,
    )
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    assert load_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    logged = read_rows(tmp_path / "run" / "curves.csv")
    assert [float(row["step"]) for row in logged] == [2, 4, 6]
    assert 0 <= float(logged[-1]["AP"]) <= 1
    memory = json.loads((tmp_path / "run" / "memory.json").read_text())
    assert list(memory["peak_mb"]) == ["data", "forward", "backward", "optimizer", "evaluation"]
    assert all(peak > 1 for peak in memory["peak_mb"].values())
    assert "peak memory" in rows.notes[-1]


def test_weights_say_what_they_are_of(shapes_set: Path, tmp_path: Path) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=1)
    train(recipe, tmp_path / "run", reporter=Rows())
    weights = read_weights(tmp_path / "run" / "weights.safetensors")
    assert (weights.model, weights.spec["classes"]) == ("native-s", 2)
    assert weights.spec["stem"] == recipe.spec["stem"]
    assert weights.travels == {"classes": ["disc", "slab"]}


def test_a_run_needs_a_bound_a_set_and_whole_shares(tmp_path: Path, shapes_set: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="budget_minutes"):
        train(shapes_recipe(shapes_set, tmp_path, run__steps=0), folder, reporter=Rows())
    with pytest.raises(ConfigError, match="nowhere"):
        train(shapes_recipe(tmp_path / "nowhere", tmp_path), folder, reporter=Rows())
    with pytest.raises(ConfigError, match="expected a multiple of 3"):
        train(shapes_recipe(shapes_set, tmp_path, run__accumulate=3), folder, reporter=Rows())
    with pytest.raises(ConfigError, match="patience = 2 needs evaluations"):
        train(shapes_recipe(shapes_set, tmp_path, run__patience=2), folder, reporter=Rows())
    assert not folder.exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model": "native-m"}, "it is of the model 'native-s', the recipe's is 'native-m'"),
        ({"spec.neck": 16}, "its spec have neck '8', now it is '16'"),
        ({"optimizer.rates": {"encoder.*": 0}}, "the recipe's rates"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(
    shapes_set: Path, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=2)
    train(recipe, tmp_path / "run", reporter=Rows())
    before = (tmp_path / "run" / "checkpoint.safetensors").read_bytes()
    other = changed(recipe, change | {"run.steps": 4})
    with pytest.raises(ConfigError, match="cannot resume") as refused:
        train(other, tmp_path / "run", reporter=Rows())
    assert named in str(refused.value)
    assert (tmp_path / "run" / "checkpoint.safetensors").read_bytes() == before


def test_a_checkpoint_of_other_classes_or_damaged_is_refused(
    shapes_set: Path, tmp_path: Path
) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=2)
    train(recipe, tmp_path / "run", reporter=Rows())
    file = shapes_set / "annotations.json"
    text = file.read_text()
    try:
        file.write_text(text.replace('"disc"', '"ring"'))
        with pytest.raises(ConfigError, match=r"classes .*'disc'.*'ring'"):
            train(changed(recipe, {"run.steps": 4}), tmp_path / "run", reporter=Rows())
    finally:
        file.write_text(text)
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(ConfigError, match="cannot resume from"):
        train(changed(recipe, {"run.steps": 4}), tmp_path / "run", reporter=Rows())


def test_a_full_disk_names_the_folder_and_keeps_the_last_checkpoint(
    shapes_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache")
    folder = tmp_path / "run"

    class FillsUp(Rows):
        def on_round(self, row: dict[str, float]) -> None:
            super().on_round(row)
            monkeypatch.setattr(checkpoint_module, "save_file", full)

    def full(_: object, file: Path, **__: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ConfigError, match="No space left") as error:
        train(recipe, folder, reporter=FillsUp())
    assert str(folder) in str(error.value)
    assert "MB are free" in str(error.value)
    assert not list(folder.glob("*.partial"))
    monkeypatch.undo()
    train(recipe, folder, reporter=Rows())
    train(recipe, tmp_path / "whole", reporter=Rows())
    assert_same(*(load_file(f / "checkpoint.safetensors") for f in (folder, tmp_path / "whole")))


def test_a_held_out_set_is_looked_at_first(shapes_set: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(shapes_set, other, ignore=shutil.ignore_patterns("cache"))
    content = json.loads((other / "annotations.json").read_text())
    for category in content["categories"]:
        category["name"] += "s"
    (other / "annotations.json").write_text(json.dumps(content))
    for val_set, why in ((str(other), "has the classes"), ("nowhere", "is not a folder")):
        recipe = shapes_recipe(shapes_set, tmp_path / "cache", options__val_set=val_set)
        with pytest.raises(ConfigError, match=why):
            train(recipe, tmp_path / "run", reporter=Rows())
    assert not (tmp_path / "run").exists()


def test_a_run_killed_before_its_checkpoint_logs_each_round_once(
    shapes_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = shapes_recipe(shapes_set, tmp_path / "cache"), tmp_path / "run"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop_module, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder, reporter=Rows())
    monkeypatch.undo()
    train(recipe, folder, reporter=Rows())
    assert [row["step"] for row in read_rows(folder / "curves.csv")] == ["2", "4", "6"]
    (folder / "curves.csv").write_text("step,minutes\nabc,1\n")
    with pytest.raises(ConfigError, match="cannot read the log"):
        train(recipe, folder, reporter=Rows())


def test_a_recipe_survives_a_full_disk(shapes_set: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_mb=1) as disk:
        file = disk / "recipe.yaml"
        save_recipe(shapes_recipe(shapes_set, tmp_path), file)
        before = file.read_text()
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            save_recipe(shapes_recipe(shapes_set, tmp_path, run__seed=1), file)
        assert file.read_text() == before


def test_a_folder_that_cannot_be_made_is_named(shapes_set: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot save recipe\.yaml in"):
        train(
            shapes_recipe(shapes_set, tmp_path / "cache"), tmp_path / "file/run", reporter=Rows()
        )


def test_fine_tuning_takes_all_but_other_classes(
    shapes_set: Path, boxes_set: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base" / "weights.safetensors"
    first = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=2)
    train(first, base.parent, reporter=Rows())
    others = shutil.copytree(boxes_set, tmp_path / "others")
    annotations = others / "annotations.json"
    annotations.write_text(annotations.read_text().replace('"disc"', '"ring"'))
    before = load_file(base)
    for data, is_kept in ((boxes_set, True), (others, False)):
        tuned = shapes_recipe(
            data,
            tmp_path / "cache",
            run__steps=1,
            run__init_weights=str(base),
            optimizer__learning_rate=1e-7,
        )
        rows, folder = Rows(), tmp_path / f"tuned-{is_kept}"
        train(tuned, folder, reporter=rows)
        after = load_file(folder / "weights.safetensors")
        assert torch.allclose(before[STEM], after[STEM], atol=1e-5)
        assert torch.allclose(before[HEAD], after[HEAD], atol=1e-5) == is_kept
        assert any("heads.0.classes.weight" in note for note in rows.notes) != is_kept


def test_weights_of_nothing_alike_are_refused(shapes_set: Path, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    recipe = shapes_recipe(
        shapes_set, tmp_path, run__init_weights=str(tmp_path / "other.safetensors")
    )
    with pytest.raises(ConfigError, match="has no layer of this model"):
        train(recipe, tmp_path / "run", reporter=Rows())


def test_progress_is_by_steps_or_time_whichever_is_further() -> None:
    run = RunOptions(steps=100, budget_minutes=10.0)
    assert progress(run, RunState(step=50, trained_s=60)) == pytest.approx(0.5)
    assert progress(run, RunState(step=10, trained_s=300)) == pytest.approx(0.5)


def test_size_and_learning_rate_follow_the_run() -> None:
    sizes = [Resolution(until=0.5, width_px=64, height_px=64), Resolution(width_px=128)]
    assert resolution_at(sizes, 0.49).width_px == 64
    assert resolution_at(sizes, 0.5).width_px == 128
    optimizer = OptimizerOptions(warmup_steps=2)
    assert learning_rate_factor(optimizer, 0, 0.0) == pytest.approx(0.5)
    assert learning_rate_factor(optimizer, 100, 0.0) == pytest.approx(1.0)
    assert learning_rate_factor(optimizer, 100, 1.0) == pytest.approx(0.01)
    other = OptimizerOptions(warmup_steps=2, last_learning_rate=0.02)
    assert learning_rate_factor(other, 100, 1.0) == pytest.approx(0.02)


def test_patience_ends_a_run_with_its_best_weights(
    shapes_set: Path, tmp_path: Path, falling_ap: Callable[[], None]
) -> None:
    falling_ap()
    recipe = shapes_recipe(
        shapes_set,
        tmp_path / "cache",
        options__val_set=str(shapes_set),
        run__rounds_per_evaluation=1,
        run__patience=2,
        run__steps=40,
    )
    rows = Rows()
    train(recipe, tmp_path / "run", reporter=rows)
    assert [row["AP"] for row in rows.rows] == [0.5, 0.4, 0.3]
    best, last, kept = (
        load_file(tmp_path / "run" / f"{name}.safetensors") for name in ("best", "last", "weights")
    )
    assert_same(best, kept)
    assert any(not torch.equal(best[name], last[name]) for name in best)


@pytest.fixture
def falling_ap(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """An evaluation that is worse each time."""
    from robot_vision.training.tasks.perception import PerceptionTask

    values = iter((0.5, 0.4, 0.3, 0.2))

    def install() -> None:
        monkeypatch.setattr(PerceptionTask, "evaluate", lambda *_: {"AP": next(values)})

    return install


def test_a_run_that_diverges_saves_nothing_of_the_round(shapes_set: Path, tmp_path: Path) -> None:
    recipe = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=2)
    train(recipe, tmp_path / "run", reporter=Rows())
    weights = tmp_path / "run" / "weights.safetensors"
    tensors = load_file(weights)
    broken = {n: t + float("inf") if t.is_floating_point() else t for n, t in tensors.items()}
    save_file(broken, tmp_path / "broken.safetensors")
    bad = changed(recipe, {"run.init_weights": str(tmp_path / "broken.safetensors")})
    with pytest.raises(DivergedError, match=r"lower optimizer\.learning_rate"):
        train(bad, tmp_path / "bad", reporter=Rows())
    assert not (tmp_path / "bad" / "weights.safetensors").exists()
