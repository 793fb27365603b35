"""`bench garden`: exported models in one table, runs of other seeds joined."""

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from runs import Rows
from typer.testing import CliRunner

from robot_vision.bench.models.garden import joined_by_seed, list_exported, measure_bundle
from robot_vision.bench.models.garden_plot import as_svg
from robot_vision.bench.models.garden_report import BEGIN, END, check_document, write_report
from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.bundle import export_run
from robot_vision.model_store.measured import GardenRow, read_table
from robot_vision.model_store.store import find_bundle, write_bundle
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import recipe_of


def texts(svg: str) -> list[tuple[float, float, str]]:
    """Words of a picture and where they stand."""
    found = re.findall(r'<text[^>]* x="([-\d.]+)" y="([-\d.]+)">(.*?)</text>', svg)
    return [(float(x), float(y), words) for x, y, words in found]


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
    (tmp_path / "docs").mkdir()
    document = tmp_path / "docs/models.md"
    document.write_text(f"# Models\n{BEGIN}\nof before\n{END}\n## Next\n")
    command = ["bench", "garden", str(tmp_path / "bundles"), "--out", str(tmp_path / "out")]
    command += ["--docs", str(document), "--table", str(tmp_path / "table/garden.json")]
    result = CliRunner().invoke(app, [*command, "--rounds", "1", "--threads", "1"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "out/garden.json").read_text())["rows"]
    assert (row["asked"], row["metric"], row["seeds"]) == ("Depth from colour", "absrel_gain", 2)
    assert row["low"] < row["value"] < row["high"]
    (shipped,) = read_table(tmp_path / "table/garden.json").rows
    assert (shipped.value, shipped.licence) == (row["value"], row["licence"])
    # Colour at 128 x 96 in a U of width 4: the stem alone is 7·7·3·4 at a quarter of the size.
    assert row["gmacs"] > 7 * 7 * 3 * 4 * 32 * 24 / 1e9
    assert row["parameters"] > 500
    assert 0 < row["onnx_p50_ms"] <= row["onnx_p95_ms"]
    assert 0 < row["torch_p50_ms"] <= row["torch_p95_ms"]
    assert row["frame_p50_ms"] > 0
    # Of the bundle, and not of this process, which has torch.
    assert 0 < row["memory_mb"] < 100
    assert row["export_difference"] < 1e-4
    table = (tmp_path / "out/garden.md").read_text()
    assert re.search(r"\| `tiny` \| -?\d\.\d{3} \(", table)
    assert "tiny" in [
        word for _, _, word in texts((tmp_path / "docs/images/garden.svg").read_text())
    ]
    written = document.read_text()
    assert table.strip() in written
    assert written.startswith(f"# Models\n{BEGIN}\n\n![")
    assert written.endswith(f"{END}\n## Next\n")
    assert "of before" not in written


def test_a_document_without_its_marks_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    document = tmp_path / "models.md"
    document.write_text(f"{END}\n{BEGIN}\n")
    with pytest.raises(ConfigError, match="has no place for the tables"):
        check_document(document)
    command = ["bench", "garden", str(tmp_path), "--docs", str(document)]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, ConfigError)
    assert "measuring" not in result.output


def test_a_folder_without_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="contains no bundles"):
        list_exported(tmp_path)


def test_the_shipped_model_has_a_row() -> None:
    (row,) = measure_bundle(find_bundle("native-s"), threads=1, rounds=1)
    assert (row.asked, row.task, row.metric) == ("Detection", "perception", "AP50")
    assert row.value > 0.8


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
        name="one", asked="Depth", task="depth", architecture="tiny-depth", recipe="{}",
        licence="MIT", device="cpu", metric="gain",
        value=0.5, low=np.nan, high=np.nan, trivial=np.nan, seeds=1, width_px=64, height_px=64,
        parameters=1, gmacs=1.0, memory_mb=1.0, torch_p50_ms=1.0, torch_p95_ms=1.0,
        onnx_p50_ms=1.0, onnx_p95_ms=1.0, frame_p50_ms=1.0, trained_minutes=1.0,
        export_difference=0.0,
    )  # fmt: skip
    return replace(one, **changes)


def test_students_interval_of_three_seeds() -> None:
    (joined,) = joined_by_seed([row(value=value) for value in (0.4, 0.5, 0.6)])
    assert joined.value == pytest.approx(0.5)
    # t(0.975, 2) = 4.3027; the standard error is 0.1 / √3.
    assert joined.high - joined.value == pytest.approx(4.3027 * 0.1 / np.sqrt(3), rel=1e-4)


def test_two_seeds_keep_the_intervals_of_their_own() -> None:
    rows = [
        row(name=f"net-seed{n}", value=v, low=v - 0.1, high=v + 0.2)
        for n, v in ((0, 0.4), (1, 0.6))
    ]
    (joined,) = joined_by_seed(rows)
    assert (joined.name, joined.value) == ("net", pytest.approx(0.5))
    assert (joined.low, joined.high) == (pytest.approx(0.4), pytest.approx(0.7))


def test_a_bundle_of_several_tasks_stays_in_each() -> None:
    rows = [row(metric=metric) for metric in ("AP50", "miou")]
    assert joined_by_seed(rows) == rows


def test_names_in_the_picture_cover_nothing() -> None:
    rows = [
        row(name=f"network-{n}", value=0.8 + n / 1000, onnx_p50_ms=5 + n / 10, parameters=10**6)
        for n in range(12)
    ]
    places = [(x, y) for x, y, word in texts(as_svg({"Depth": rows})) if "network" in word]
    assert len(places) == 12
    for (x, y), (other_x, other_y) in combinations(places, 2):
        assert abs(x - other_x) > 50 or abs(y - other_y) >= 13


def test_a_figure_that_is_not_there_is_left_out_of_the_picture_and_null_in_json(
    tmp_path: Path,
) -> None:
    rows = [row(), row(name="blind", value=np.nan)]
    write_report(rows, tmp_path, measured="here")
    assert json.loads((tmp_path / "garden.json").read_text())["rows"][1]["value"] is None
    assert "blind" not in (tmp_path / "garden.svg").read_text()
    assert "| `blind` | – |" in (tmp_path / "garden.md").read_text()


def test_other_recipes_and_sizes_stay_apart() -> None:
    rows = [row(), row(recipe='{"model": "other"}'), row(width_px=128)]
    assert joined_by_seed(rows) == rows
