"""`bench garden`: exported models in one table, runs of other seeds joined."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import Rows
from typer.testing import CliRunner

from robot_vision.bench.garden import (
    GardenRow,
    joined_by_seed,
    list_exported,
    measure_bundle,
)
from robot_vision.cli import app
from robot_vision.core.errors import BundleError
from robot_vision.export.bundle import export_run
from robot_vision.model_store.store import find_bundle, write_bundle
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipe_file import recipe_of


def exported(root: Path, shapes_set: Path, *, seed: int) -> None:
    recipe = recipe_of(
        {
            "task": "depth",
            "model": "tiny-depth",
            "spec": {"width": 4},
            "run": {"steps": 2, "batch_size": 2, "round_steps": 1, "seed": seed},
            "options": {
                "train_set": str(shapes_set),
                "val_set": str(shapes_set),
                "resolutions": [{"width_px": 128, "height_px": 96}],
            },
        }
    )
    train(recipe, root / "runs" / str(seed), reporter=Rows())
    export_run(root / "runs" / str(seed), root / "bundles" / f"tiny-seed{seed}")


def test_bundles_become_a_table_and_a_picture(shapes_set: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        exported(tmp_path, shapes_set, seed=seed)
    command = ["bench", "garden", str(tmp_path / "bundles"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--rounds", "1", "--threads", "1"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "out/garden.json").read_text())
    assert (row["task"], row["metric"], row["seeds"]) == ("depth", "absrel_gain", 2)
    assert row["low"] <= row["value"] <= row["high"]
    # Colour at 128 x 96 in a U of width 4: the stem alone is 7·7·3·4 at a quarter of the size.
    assert row["gmacs"] > 7 * 7 * 3 * 4 * 32 * 24 / 1e9
    assert row["parameters"] > 500
    assert 0 < row["onnx_p50_ms"] <= row["onnx_p95_ms"]
    assert 0 < row["torch_p50_ms"] <= row["torch_p95_ms"]
    assert row["memory_mb"] > 0
    assert row["export_difference"] < 1e-4
    assert "| tiny-seed0 | 128×96 |" in (tmp_path / "out/garden.md").read_text()
    assert (tmp_path / "out/garden.png").stat().st_size > 1000


def test_a_folder_without_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="holds no bundles"):
        list_exported(tmp_path)


def test_the_shipped_model_has_a_row() -> None:
    row = measure_bundle(find_bundle("native-s"), threads=1, rounds=1)
    assert (row.task, row.metric, row.seeds) == ("perception", "AP", 1)
    assert row.value > 0.6


def test_a_bundle_of_others_has_no_row(shipped_as_foreign: Path) -> None:
    with pytest.raises(BundleError, match="names no architecture"):
        measure_bundle(find_bundle(shipped_as_foreign), threads=1, rounds=1)


@pytest.fixture
def shipped_as_foreign(tmp_path: Path) -> Path:
    shipped = find_bundle("native-s")
    manifest = shipped.manifest.model_copy(update={"architecture": ""})
    return write_bundle(tmp_path / "foreign", manifest, shipped.model_path).path


def row(**changes: object) -> GardenRow:
    one = GardenRow(
        name="one", task="depth", architecture="tiny-depth", recipe="{}", metric="gain",
        value=0.5, low=np.nan, high=np.nan, trivial=np.nan, seeds=1, width_px=64, height_px=64,
        parameters=1, gmacs=1.0, memory_mb=1.0, torch_p50_ms=1.0, torch_p95_ms=1.0,
        onnx_p50_ms=1.0, onnx_p95_ms=1.0, trained_minutes=1.0, export_difference=0.0,
    )  # fmt: skip
    return replace(one, **changes)


def test_students_interval_of_three_seeds() -> None:
    (joined,) = joined_by_seed([row(value=value) for value in (0.4, 0.5, 0.6)])
    assert joined.value == pytest.approx(0.5)
    # t(0.975, 2) = 4.3027; the standard error is 0.1 / √3.
    assert joined.high - joined.value == pytest.approx(4.3027 * 0.1 / np.sqrt(3), rel=1e-4)


def test_other_recipes_and_sizes_stay_apart() -> None:
    rows = [row(), row(recipe='{"model": "other"}'), row(width_px=128)]
    assert joined_by_seed(rows) == rows
