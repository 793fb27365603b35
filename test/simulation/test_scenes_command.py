from pathlib import Path

import pytest
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.commands.scenes import parse_size
from robot_vision.core.errors import ConfigError

# pycocotools' own, under NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
RUN = CliRunner()


@pytest.mark.parametrize("size", ["416", "416x", "axb", "4x4", "9000x320"])
def test_bad_sizes_are_explained(size: str) -> None:
    with pytest.raises(ConfigError, match=f"size '{size}'"):
        parse_size(size)


def test_an_unknown_split_is_explained(tmp_path: Path) -> None:
    pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)
    result = RUN.invoke(app, ["scenes", "generate", "--out", str(tmp_path), "--split", "dev"])
    assert isinstance(result.exception, ConfigError)
    assert "available: train, val, test" in str(result.exception)


def test_generate_then_preview(tmp_path: Path) -> None:
    pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)
    made = tmp_path / "set"
    options = ["--count", "2", "--size", "96x80", "--processes", "1"]
    result = RUN.invoke(app, ["scenes", "generate", "--out", str(made), *options])
    assert result.exit_code == 0, result.output
    sheet = tmp_path / "sheet.png"
    result = RUN.invoke(app, ["scenes", "preview", str(made), "--out", str(sheet)])
    assert result.exit_code == 0, result.output
    assert sheet.stat().st_size > 1000


def test_record_says_how_much_it_wrote(tmp_path: Path) -> None:
    pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)
    options = ["--seconds", "0.2", "--fps", "10", "--size", "96x80"]
    result = RUN.invoke(app, ["scenes", "record", "--out", str(tmp_path / "bag"), *options])
    assert result.exit_code == 0, result.output
    assert "2 frames" in result.output
