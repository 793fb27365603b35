"""The commands that people type first come to an end and leave what they name."""

import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from robot_vision.cli import app

pytestmark = pytest.mark.ros


def test_the_demo_leaves_a_video_and_a_plot(shared_data: Path, tmp_path: Path) -> None:
    bag = shared_data / "bags" / "redkitchen_mcap"
    command = ["demo", "--bag", str(bag), "--seconds", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    readable, frame = video.read()
    assert readable
    assert frame.shape == (480, 640, 3)
    assert frame.std() > 20
    assert "inference" in (tmp_path / "ages.svg").read_text()
    assert "overlay.mp4" in result.output


def test_a_demo_whose_node_does_not_start_fails_with_the_reason(
    shared_data: Path, tmp_path: Path
) -> None:
    bag = shared_data / "bags" / "redkitchen_mcap"
    command = ["demo", "--bag", str(bag), "--model", "nothing", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code != 0
    assert "no model bundle 'nothing'" in str(result.exception)


def test_without_a_policy_the_demo_says_so_and_plays_the_recording(tmp_path: Path) -> None:
    command = ["demo", "--policy", "nothing", "--seconds", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    words = " ".join(result.output.split())
    assert "no simulated robot: no model bundle 'nothing'" in words
    assert "the shipped recording is played instead" in words
    assert (tmp_path / "overlay.mp4").is_file()


def test_without_a_picture_the_demo_says_so_and_plays_the_recording(
    policy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "disable")
    command = ["demo", "--policy", str(policy_bundle), "--seconds", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert "no simulated robot" in result.output
    assert (tmp_path / "overlay.mp4").is_file()


def test_the_demo_of_the_robot_leaves_a_video_a_plot_and_a_summary(
    policy_bundle: Path, tmp_path: Path
) -> None:
    """In simulated time, which a busy machine keeps up with."""
    command = ["demo", "--policy", str(policy_bundle), "--seconds", "4", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, [*command, "--speed", "0.5"])
    assert result.exit_code == 0, result.output + repr(result.exception)
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    readable, frame = video.read()
    assert readable
    assert frame.std() > 20
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["tasks"][0]["instruction"]
    assert summary["tasks"][0]["ended"]
    assert summary["command_hz"] > 0
    assert "inference" in (tmp_path / "ages.svg").read_text()


def test_bench_vla_measures_ages_and_evenness(policy_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "vla.json"
    command = ["bench", "vla", "--policy", str(policy_bundle), "--seconds", "4"]
    result = CliRunner().invoke(app, [*command, "--camera-hz", "5", "--out", str(out)])
    # 1 says that a bar was missed, as it is on a busy machine.
    assert result.exit_code in (0, 1), result.output + repr(result.exception)
    written = json.loads(out.read_text())
    assert written["passed"] == (result.exit_code == 0)
    assert {"perceived", "policy", "lateness"} <= set(written["stage_ms"])
    assert written["commands"] > 100


def test_bench_pipeline_writes_percentiles_of_every_stage(
    native_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pipeline.json"
    command = ["bench", "pipeline", "--model", str(native_bundle), "--frames", "10"]
    result = CliRunner().invoke(
        app, [*command, "--width", "64", "--height", "48", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output + repr(result.exception)
    written = json.loads(out.read_text())
    assert {"inference", "track", "whole", "all but inference"} <= set(written["stage_ms"])
    assert written["machine"]["processor"]
    assert written["frames_per_s"] > 0


def test_bench_ros_accounts_for_every_frame(native_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "ros.json"
    command = ["bench", "ros", "--model", str(native_bundle), "--seconds", "2", "--fps", "10"]
    result = CliRunner().invoke(
        app, [*command, "--width", "64", "--height", "48", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output + repr(result.exception)
    written = json.loads(out.read_text())
    assert written["published"] == 50
    assert written["processed"] + written["lost"] == written["published"]
    assert written["processed"] > 25
    assert {"transport", "inference", "publish", "age"} <= set(written["stage_ms"])
    assert {"features", "embedding", "depth/image", "objects/markers"} <= set(written["messages"])
