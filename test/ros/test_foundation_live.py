"""Tiny foundation models in the node: from `save_pretrained` to topics, over real DDS."""

from pathlib import Path

import pytest
from foundation_kit import MODELS, OPTIONS
from test_every_vision_model import FRAME_SIZE, serve_the_recording
from typer.testing import CliRunner

from robot_vision.commands.models import app

pytestmark = [pytest.mark.ros, pytest.mark.real_time]


@pytest.mark.parametrize("name", ["dinov2", "depth_anything_metric", "rtdetr", "clip", "owlvit"])
def test_what_models_get_writes_is_served(
    name: str, tmp_path: Path, native_bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    MODELS[name](tmp_path / "hub" / name)
    out, size = tmp_path / name, "x".join(map(str, FRAME_SIZE))
    given = [str(tmp_path / "hub" / name), "--camera", size, "--out", str(out)]
    result = CliRunner().invoke(app, ["get", *given, *OPTIONS.get(name, [])])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    serve_the_recording(out, native_bundle, caplog)
