"""`tools/moving_picture.py`: a part of a demonstration's video becomes a GIF."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robot_vision.core.clock import NS_PER_S
from robot_vision.demo.video import VideoFile

TOOL = Path(__file__).resolve().parents[2] / "tools/moving_picture.py"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 10 Hz, brighter from frame to frame."""
    file = VideoFile(tmp_path_factory.mktemp("video") / "a.mp4")
    for k in range(30):
        file.add(k * NS_PER_S // 10, np.full((64, 96, 3), 8 * k, np.uint8))
    file.close()
    return file.path


def made(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), *options], capture_output=True, text=True)


def test_a_part_of_a_video_becomes_a_gif(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gif"
    options = ["--start", "1", "--seconds", "1", "--fps", "5", "--width", "48"]
    done = made(str(video), str(out), *options)
    assert done.returncode == 0, done.stderr
    with Image.open(out) as gif:
        assert (gif.size, getattr(gif, "n_frames", 1), gif.info["duration"]) == ((48, 32), 5, 200)
        first = np.asarray(gif.convert("RGB")).mean()
    assert first == pytest.approx(80, abs=12), "frames from the start that was asked for"


def test_beyond_the_end_there_is_nothing(video: Path, tmp_path: Path) -> None:
    done = made(str(video), str(tmp_path / "a.gif"), "--start", "9")
    assert done.returncode == 1
    assert "no frames from 9.0 s on" in done.stderr
