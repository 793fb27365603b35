"""`models recommend`: the best that fits the measured table, why, and how to get it."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.model_store.measured import SHIPPED_TABLE, GardenRow, read_table
from robot_vision.model_store.recommend import (
    PERMISSIVE,
    Wanted,
    asked_of,
    licences_of,
    recommend,
)
from robot_vision.training.engine.recipes.recipe_file import recipe_of

ROW = GardenRow(
    name="middle",
    asked="Detection",
    task="detection",
    architecture="net",
    recipe="{}",
    licence="Apache-2.0",
    device="cpu",
    metric="AP50",
    value=0.60,
    low=0.57,
    high=0.63,
    trivial=0.01,
    seeds=1,
    width_px=64,
    height_px=64,
    parameters=1000,
    gmacs=0.1,
    memory_mb=10.0,
    torch_p50_ms=9.0,
    torch_p95_ms=9.0,
    onnx_p50_ms=4.0,
    onnx_p95_ms=4.0,
    frame_p50_ms=5.0,
    trained_minutes=1.0,
    export_difference=np.nan,
)
BEST = replace(ROW, name="best", value=0.80, low=0.75, high=0.85, frame_p50_ms=20.0)
NEAR = replace(ROW, name="near", value=0.74, low=0.70, high=0.78, frame_p50_ms=8.0)
FOREIGN = replace(ROW, name="foreign", licence="AGPL-3.0", value=0.9, low=0.88, frame_p50_ms=1.0)
USELESS = replace(ROW, name="useless", value=0.02, low=0.0, high=0.04, frame_p50_ms=0.5)
ROWS = [ROW, BEST, NEAR, FOREIGN, USELESS]


def wanted(**changes: Any) -> Wanted:
    usual = {"asked": "Detection", "budget_ms": 30.0, "device": "cpu", "licences": PERMISSIVE}
    return Wanted(**{**usual, **changes})


def test_the_faster_of_two_that_the_data_cannot_separate() -> None:
    advice = recommend(ROWS, wanted())
    assert advice.taken is NEAR
    assert "intervals overlap" in advice.summary
    said = {row.name: reason for row, reason in advice.reasons}
    assert said == {
        "near": "recommended",
        "best": "as good, as far as the data show, and slower",
        "middle": "fits, but is not as good as best",
        "foreign": "its licence is AGPL-3.0",
        "useless": "not clearly better than the trivial baseline (0.010)",
    }


def test_the_best_where_nothing_is_as_good() -> None:
    apart = replace(NEAR, high=0.745)
    assert recommend([ROW, BEST, apart], wanted()).taken is BEST
    assert recommend(ROWS, wanted(licences=())).taken is FOREIGN


@pytest.mark.parametrize(("budget_ms", "name"), [(19.0, "near"), (7.0, "middle"), (5.0, "middle")])
def test_a_budget_is_kept(budget_ms: float, name: str) -> None:
    taken = recommend(ROWS, wanted(budget_ms=budget_ms)).taken
    assert taken is not None
    assert taken.name == name


def test_nothing_fits_is_said_with_what_is_nearest() -> None:
    advice = recommend(ROWS, wanted(budget_ms=3.0))
    assert advice.taken is None
    assert "nothing fits 3 ms a frame on cpu" in advice.summary
    assert "the fastest is middle with 5.0 ms" in advice.summary
    assert "at any speed" in recommend(ROWS, wanted(device="cuda")).summary
    assert "at any speed" in recommend(ROWS, wanted(licences=("MIT",))).summary


def test_a_figure_without_an_interval_stands_alone() -> None:
    bare = replace(ROW, name="bare", value=0.81, low=np.nan, high=np.nan, frame_p50_ms=1.0)
    assert recommend([BEST, bare], wanted()).taken is bare
    assert recommend([BEST, replace(bare, value=0.79)], wanted()).taken is BEST


def test_words_of_the_command_line() -> None:
    assert licences_of("permissive, CC0-1.0") == (*PERMISSIVE, "CC0-1.0")
    assert licences_of("") == ()
    rows = [ROW, replace(ROW, asked="Classes in view")]
    assert asked_of(rows, "classes_in_view") == "Classes in view"
    with pytest.raises(ConfigError, match="'pose'; it has: detection, classes-in-view"):
        asked_of(rows, "pose")


def test_the_shipped_table_has_recipes_that_train() -> None:
    table = read_table()
    assert SHIPPED_TABLE.is_file()
    assert len(table.rows) >= 5
    for row in table.rows:
        assert recipe_of(json.loads(row.recipe)).model
        assert row.low <= row.value <= row.high
        assert 0 < row.frame_p50_ms < 1000


def ask(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["models", "recommend", *map(str, arguments)])


def test_the_command_says_why_and_how_to_get_it(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    result = ask("--task", "segmentation", "--budget-ms", 10, "--recipe", recipe)
    assert result.exit_code == 0, result.output
    assert "recommended" in result.output
    assert f"robot-vision train {recipe} --out" in result.output
    assert "robot-vision export" in result.output
    assert "AMD EPYC" in result.output
    assert recipe_of(yaml.safe_load(recipe.read_text())).task in ("segmentation", "multi_task")
    nothing = ask("--task", "segmentation", "--budget-ms", 0.01)
    assert nothing.exit_code == 1
    assert re.search(r"nothing fits 0\.01 ms", nothing.output)
    assert "robot-vision train" not in nothing.output


def test_a_table_of_ones_own_is_read(tmp_path: Path) -> None:
    rows = [{k: None if v != v else v for k, v in asdict(row).items()} for row in (ROW, BEST)]
    file = tmp_path / "garden.json"
    file.write_text(json.dumps({"measured": "a robot. More.", "rows": rows}))
    assert np.isnan(read_table(file).rows[0].export_difference)
    result = ask("--task", "detection", "--budget-ms", 6, "--table", file)
    assert "middle: the only one that fits" in result.output
    assert "measured on: a robot" in result.output
    del rows[0]["licence"]
    file.write_text(json.dumps({"measured": "", "rows": rows}))
    with pytest.raises(ConfigError, match=r"not a table of models.*bench garden"):
        read_table(file)
    with pytest.raises(ForeignFileError):
        read_table(tmp_path / "absent.json")
