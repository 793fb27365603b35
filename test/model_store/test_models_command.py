"""`robot-vision models …` on a real ONNX file."""

from pathlib import Path

import numpy as np
import pytest
from onnx_models import save_model
from typer.testing import CliRunner

from robot_vision.commands.models import app
from robot_vision.core.errors import BundleError, ConfigError, UnknownNameError
from robot_vision.formats.registry import FORMATS
from robot_vision.model_store.store import SEARCH_PATH_VARIABLE, find_bundle

run = CliRunner().invoke


@pytest.fixture
def model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, str(tmp_path / "store"))
    (tmp_path / "classes.txt").write_text("cup\nbowl\n\n")
    return save_model(
        tmp_path / "tiny_net.onnx",
        inputs={"images": ((1, 3, 32, 64), np.float32)},
        constants={"output0": np.zeros((1, 6, 7), np.float32)},
    )


def import_call(model_file: Path, *more: str) -> list[str]:
    folder = model_file.parent
    classes = ["--classes", str(folder / "classes.txt")]
    out = ["--out", str(folder / "store" / "tiny-net")]
    return ["import", str(model_file), "--format", "yolov8", *classes, *out, *more]


def test_import_then_list_show_and_verify(model_file: Path) -> None:
    result = run(app, import_call(model_file, "--input", "mean=[0.5,0.5,0.5]"))
    assert result.exit_code == 0, result.output
    manifest = find_bundle("tiny-net").manifest
    assert manifest.classes == ("cup", "bowl")
    assert manifest.input.mean == (0.5, 0.5, 0.5)
    assert "64×32" in run(app, ["list"]).output
    assert "cup, bowl" in run(app, ["show", "tiny-net"]).output
    verified = run(app, ["verify", "tiny-net", "--device", "cpu"])
    assert "runs on cpu" in verified.output


def test_the_help_names_every_format() -> None:
    shown = run(app, ["import", "--help"], env={"COLUMNS": "400"}).output
    assert [name for name in FORMATS if name not in shown] == []


def test_a_model_that_does_not_fit_its_format_leaves_no_bundle(model_file: Path) -> None:
    (model_file.parent / "classes.txt").write_text("cup\n")
    result = run(app, import_call(model_file))
    assert isinstance(result.exception, BundleError)
    assert "[1, 6, 7]" in str(result.exception)
    assert not (model_file.parent / "store").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--format", "yolo"], "unknown format 'yolo'; available: .*did you mean 'yolo"),
        (["--size", "64"], "size '64'"),
        (["--output", "boxes"], "output 'boxes'; expected name=value"),
        (["--classes", "/nowhere/classes.txt"], "cannot read the class names"),
    ],
)
def test_options_that_make_no_sense_are_explained(
    model_file: Path, more: list[str], message: str
) -> None:
    result = run(app, import_call(model_file, *more))
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        raise result.exception or AssertionError(result.output)
