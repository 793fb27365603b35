"""Encoding does its work where it is asked to, and keeps what it was given."""

from pathlib import Path

import av
import numpy as np
from demonstrations_kit import rgb_of

from robot_vision.datasets.lerobot.files.video import VideoReader, count_frames
from robot_vision.datasets.lerobot.form.schema import VIDEO_CODEC
from robot_vision.demonstrations.writing.video import VideoWriter


def threads() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def test_encoding_starts_no_thread_that_it_could_wait_for(tmp_path: Path) -> None:
    """An encoder that hands frames from thread to thread has stood still for ever."""
    before = threads()
    video = VideoWriter(tmp_path / "a.mp4", fps=20, width_px=640, height_px=480)
    for number in range(5):
        video.add(rgb_of(number, width_px=640, height_px=480))
        assert threads() == before
        assert count_frames(tmp_path / "a.mp4") >= number, "a frame waits in the encoder"
    video.close()
    assert count_frames(tmp_path / "a.mp4") == 5


def test_frames_come_back_as_they_were(tmp_path: Path) -> None:
    frames = [rgb_of(number) for number in range(25)]
    video = VideoWriter(tmp_path / "a.mp4", fps=20, width_px=96, height_px=64)
    for frame in frames:
        video.add(frame)
    video.close()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == VIDEO_CODEC
    reader = VideoReader(tmp_path / "a.mp4", fps=20)
    for number in (0, 24, 7, 13):
        back = reader.frame(number / 20).astype(float)
        assert np.abs(back - frames[number]).mean() < 4
    reader.close()
