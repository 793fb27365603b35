"""Encoding does its work beside a robot's, and not before it."""

import os
from pathlib import Path

import numpy as np

from robot_vision.demonstrations.video import VideoWriter, count_frames


def policies_of_all_threads() -> set[int]:
    return {os.sched_getscheduler(int(t.name)) for t in Path("/proc/self/task").iterdir()}


def test_encoding_makes_no_thread_real_time(tmp_path: Path) -> None:
    """As root, the encoder by itself would take the highest priority for all of them."""
    before = policies_of_all_threads()
    assert not before & {os.SCHED_FIFO, os.SCHED_RR}
    video = VideoWriter(tmp_path / "a.mp4", fps=20, width_px=64, height_px=48)
    for shade in range(5):
        video.add(np.full((48, 64, 3), 40 * shade, np.uint8))
    assert policies_of_all_threads() == before
    video.close()
    assert policies_of_all_threads() == before
    assert count_frames(tmp_path / "a.mp4") == 5
