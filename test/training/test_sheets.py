"""Sheets for documents: one picture of bounded size with the truth and what a bundle says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from runs import Rows, tiny_spec
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.bundle import export_run
from robot_vision.export.sheets.canvas import WIDTH_PX, class_color, colored, legend, save
from robot_vision.export.sheets.draw import draw_sheet
from robot_vision.model_store.store import find_bundle
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import recipe_of

TASKS = {
    "classification": "simple-cnn",
    "segmentation": "unet",
    "yolo_v1": "yolo-v1",
    "multi_task": "multi-task",
    "rgbd_temporal": "rgbd-temporal",
    "depth": "tiny-depth",
}


@pytest.fixture(scope="module")
def bundles(shapes_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sheets")
    for task, model in TASKS.items():
        values = {
            "task": task,
            "model": model,
            "spec": tiny_spec(model),
            "run": {"steps": 1, "batch_size": 2, "round_steps": 1, "rounds_per_evaluation": 0},
            "options": {
                "train_set": str(shapes_set),
                "val_set": str(shapes_set),
                "cache_dir": str(root / "cache"),
                "resolutions": [{"width_px": 64, "height_px": 64}],
            },
        }
        train(recipe_of(values), root / "runs" / task, reporter=Rows())
        export_run(root / "runs" / task, root / "bundles" / task)
    return root / "bundles"


@pytest.mark.parametrize("task", [task for task in TASKS if task != "depth"])
def test_each_task_has_a_sheet(task: str, bundles: Path, shapes_set: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "sheet.jpg"
    draw_sheet(find_bundle(bundles / task), shapes_set, file)
    sheet = cv2.imread(str(file))
    assert sheet.shape[1] == WIDTH_PX
    assert file.stat().st_size < 300_000
    assert sheet.std() > 10


def test_evaluate_draws_it_beside_its_figures(
    bundles: Path, shapes_set: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sheet.jpg"
    command = ["evaluate", str(bundles / "yolo_v1"), "--data", str(shapes_set)]
    command += ["--out", str(tmp_path / "out"), "--sheet", str(file)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert file.is_file()
    assert "AP50" in (tmp_path / "out/metrics.json").read_text()
    assert {f.name for f in (tmp_path / "out").iterdir()} == {
        "metrics.json", "confusions.csv", "gallery.png",
    }  # fmt: skip
    command[1] = str(bundles / "rgbd_temporal")  # has a sheet, and its figures by the export
    assert CliRunner().invoke(app, command).exit_code == 0


def test_what_has_no_sheet_is_refused(bundles: Path, shapes_set: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'depth'; sheets exist for"):
        draw_sheet(find_bundle(bundles / "depth"), shapes_set, tmp_path / "sheet.jpg")
    with pytest.raises(ConfigError, match="expected the name of a JPEG"):
        draw_sheet(find_bundle(bundles / "yolo_v1"), shapes_set, tmp_path / "sheet.txt")


def test_a_sheet_of_noise_is_small_all_the_same(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    save(tmp_path / "noise.jpg", [noise] * 4, columns=4, foot=None)
    assert (tmp_path / "noise.jpg").stat().st_size < 300_000
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        save(tmp_path / "file" / "sheet.jpg", [noise], columns=1, foot=None)


def test_classes_have_the_colours_of_the_legend() -> None:
    picture = np.full((40, 40, 3), 100, np.uint8)
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    drawn = colored(picture, labels, first=1)
    assert (drawn[5, 5] == 100).all()
    assert (drawn[35, 35] == 100).all()
    expected = 100 * 0.35 + np.array(class_color(1)) * 0.65
    assert np.abs(drawn[35, 5] - expected).max() <= 1
    assert len({class_color(row) for row in range(13)}) == 13
    many = legend([f"a class with a long name {n}" for n in range(20)])
    assert many.shape[1] == WIDTH_PX
    assert many.shape[0] > legend(["one"]).shape[0]
