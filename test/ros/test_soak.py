"""`robot-vision soak` over real DDS: it tries the loop, and leaves a report."""

import json
import sys
from pathlib import Path
from signal import SIGINT
from subprocess import Popen
from time import monotonic, sleep
from typing import Any

import pytest
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.soak.ledger import INVARIANTS

pytestmark = pytest.mark.ros

# What no fault may break, whatever the arm does about it.
ALWAYS = ("finite", "frame", "order", "lives", "answers", "parameters", "recovers")
# What the arm itself must keep, also where other work takes the cores.
OF_THE_ARM = ("speed", "turn speed", "workspace", "zeros", "start", "hold reported", "stands")


def soaked(out: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["soak", "--out", str(out), *options])
    assert result.exit_code in (0, 1), result.output + repr(result.exception)
    return result.exit_code, json.loads((out / "report.json").read_text())


def assert_sound(status: int, report: dict[str, Any], out: Path) -> None:
    """The report says what the exit status says, and every invariant was looked at."""
    assert (status == 0) == report["passed"]
    assert report["ended"] == "time is up"
    assert report["frames_sent"] > 50
    for name in ALWAYS:
        assert not report["invariants"][name]["violations"], report["invariants"][name]
    for name in ("speed", "acceleration", "workspace", "rate", "frames counted", "diagnostics"):
        assert report["invariants"][name]["checks"] > 0, name
    assert (out / "faults.svg").is_file()
    assert not (out / "console.token").exists()


def test_some_seconds_of_soak(policy_bundle: Path, tmp_path: Path) -> None:
    faults = {"camera_silent", "words_empty"}
    for minutes in (0.35, 1.0):  # longer where a busy machine does not come to all of them
        out = tmp_path / str(minutes)
        status, report = soaked(
            out,
            f"--policy={policy_bundle}",
            f"--minutes={minutes}",
            "--faults=camera_silent,words_empty,console_hold",
            "--camera-hz=5",
        )
        ran = {run["name"] for run in report["runs"]}
        if ran >= faults:
            break
    assert_sound(status, report, out)
    assert ran >= faults
    assert report["invariants"]["hold reported"]["checks"] > 0
    for name in OF_THE_ARM:
        assert not report["invariants"][name]["violations"], report["invariants"][name]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_minutes_of_soak_violate_nothing(policy_bundle: Path, tmp_path: Path) -> None:
    status, report = soaked(tmp_path, f"--policy={policy_bundle}", "--minutes=5", "--camera-hz=5")
    assert_sound(status, report, tmp_path)
    assert len(report["runs"]) > 20
    broken = {
        name: found["violations"]
        for name, found in report["invariants"].items()
        if found["violations"]
    }
    assert set(report["invariants"]) == set(INVARIANTS)
    assert status == 0, json.dumps(broken, indent=1)


@pytest.mark.slow
def test_ctrl_c_ends_with_a_report_of_what_was_done(policy_bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "robot_vision", "soak", "--minutes=10", "--out", tmp_path]
    process = Popen([*command, f"--policy={policy_bundle}", "--faults=words_empty"])
    try:
        until_s = monotonic() + 120
        while "enabled by ~/enable" not in text_of(tmp_path / "service.log"):
            assert monotonic() < until_s
            sleep(0.2)
        process.send_signal(SIGINT)
        assert process.wait(60) in (0, 1)
    finally:
        process.kill()
        process.wait()
    assert json.loads(text_of(tmp_path / "report.json"))["ended"] == "interrupted"


def text_of(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def test_what_cannot_be_run_is_refused_in_words(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["soak", "--list"])
    assert listed.exit_code == 0
    assert "arm_identity" in listed.output
    for options, words in (
        (["--minutes=1", "--faults=arm_bored"], "unknown fault 'arm_bored'"),
        ([], "expected --hours or --minutes"),
    ):
        refused = runner.invoke(app, ["soak", f"--out={tmp_path}", *options])
        assert refused.exit_code != 0
        assert words in str(refused.exception)
