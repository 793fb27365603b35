"""`robot-vision data check`: what it prints, its exit status, and the sheet that it draws."""

import subprocess
import sys
from pathlib import Path

import cv2
import sets_kit as kit
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.training.data.opening.sheet import balanced


def test_the_command_says_what_is_wrong_and_draws_a_sheet(tmp_path: Path) -> None:
    root = kit.write_yolo(tmp_path / "set")
    runner, out = CliRunner(), tmp_path / "out"
    clean = runner.invoke(app, ["data", "check", str(root), "--out", str(out)])
    assert (clean.exit_code, clean.stdout) == (0, "")
    assert "6 images, 2 classes, no faults" in " ".join(clean.stderr.split())
    sheet = cv2.imread(str(out / "sample.png"))
    assert sheet.shape == (2 * 274, 4 * 320, 3)
    kit.write_text(root / "labels" / "train" / "0.txt", "7 .5 .5 .2 .2\n0 .5 .5 0 0")
    (root / "labels" / "train" / "1.txt").unlink()
    wrong = runner.invoke(app, ["data", "check", str(root), "--out", str(out), "--images", "2"])
    assert wrong.exit_code == 1
    first, second, third = wrong.stdout.splitlines()
    assert first.startswith("class ids without a name: 1 (labels/train/0.txt: line 1: class 7")
    assert second == "images without labels: 1 (images/train/1.png)"
    assert third.startswith("boxes without area: 1 (images/train/0.png")


def test_the_command_refuses_what_is_not_a_set(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["data", "check", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)  # `main` makes exit status 2 of it


def test_a_sheet_shows_each_class_about_as_often() -> None:
    shown = [frozenset({0})] * 90 + [frozenset({1})] * 9 + [frozenset({2})] + [frozenset()] * 5
    rows = balanced(shown, most=12)
    classes = [min(shown[row]) for row in rows]
    assert len(set(rows)) == 12
    assert [classes.count(c) for c in (0, 1, 2)] in ([6, 5, 1], [5, 6, 1])
    assert len(balanced(shown, most=200)) == 105
    assert balanced([], most=5) == []


def test_sets_are_checked_without_torch(tmp_path: Path) -> None:
    root = kit.write_label_pngs(tmp_path / "set")
    program = "import sys; sys.modules['torch'] = None\nfrom robot_vision.cli import main\nmain()"
    arguments = ["data", "check", str(root), "--out", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
