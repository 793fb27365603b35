"""Every bench writes its figures where `--json` says."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.commands.bench import bench_app

COMMANDS = typer.main.get_group(bench_app).commands


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_it_has_the_option(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options


def test_the_model_bench_writes_what_it_shows(tmp_path: Path) -> None:
    file = tmp_path / "figures" / "model.json"
    order = ["bench", "model", "--threads", "1", "--rounds", "1", "--json", str(file)]
    ended = CliRunner().invoke(app, order)
    assert ended.exit_code == 0, ended.output
    figures = json.loads(file.read_text())
    assert f"{figures['onnx_ms']:.1f}" in ended.output
    assert figures["machine"]["cores"]
