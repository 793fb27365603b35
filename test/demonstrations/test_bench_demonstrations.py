"""`bench demonstrations` measures what it says."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from robot_vision.cli import app

_STAGES = {"record a frame", "end the episode", "read a step in order", "read a step at random"}


def measured(out: Path, *options: str) -> dict[str, Any]:
    command = ["bench", "demonstrations", "--frames", "6", "--width", "96", "--height", "64"]
    result = CliRunner().invoke(app, [*command, *options, "--out", str(out)])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(out.read_text())


def test_recording_and_reading_are_measured_with_depth_and_without(tmp_path: Path) -> None:
    whole = measured(tmp_path / "whole.json")
    colour = measured(tmp_path / "colour.json", "--no-depth")
    for figures in (whole, colour):
        assert set(figures["stage_ms"]) == _STAGES
        assert all(times["p50"] > 0 for times in figures["stage_ms"].values())
        assert figures["video_kb_per_frame"] > 0.1
    numbers = "depth_and_numbers_kb_per_frame"
    assert whole[numbers] > colour[numbers] + 1
    assert whole["video_kb_per_frame"] == colour["video_kb_per_frame"]
