"""Sources that are kept alive, with real children, a real video and a real stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, monotonic_ns, sleep
from typing import Any

import numpy as np
import pytest
from live_streams import network_camera, number_of, write_video

from robot_vision.capture.address import address_of
from robot_vision.capture.live_source import LiveSource
from robot_vision.core.parameters.source_config import SourceConfig

# Frames that come faster than they are taken, and limits without frames, need cores of their own.
pytestmark = pytest.mark.real_time

WAIT_S = 40.0


class Seen:
    def __init__(self, take_s: float = 0.0) -> None:
        self.numbers: list[int] = []
        self.late_s: list[float] = []
        self.said: list[str] = []
        self._take_s = take_s

    def take(self, image: np.ndarray, grabbed_ns: int) -> None:
        self.numbers.append(number_of(image))
        self.late_s.append((monotonic_ns() - grabbed_ns) / 1e9)
        sleep(self._take_s)


@contextmanager
def source(address: str, seen: Seen, **config: Any) -> Iterator[LiveSource]:
    made = LiveSource(
        address_of(address), SourceConfig(**config), on_frame=seen.take, log=seen.said.append
    )
    try:
        yield made
    finally:
        made.close()


def until(happened: Callable[[], object]) -> None:
    until_s = monotonic() + WAIT_S
    while not happened():
        assert monotonic() < until_s
        sleep(0.02)


def test_a_file_plays_at_its_pace_and_says_when_it_is_over(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", frames=30, fps=15)
    seen = Seen()
    with source(str(video), seen) as live:
        until(lambda: live.state.ended)
        state = live.state
    assert seen.numbers == sorted(set(seen.numbers))
    assert seen.numbers[-1] == 29
    assert "the file ended after" in state.problem
    assert state.opened == 1


def test_a_file_begins_again(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", frames=5, fps=30)
    seen = Seen()
    with source(str(video), seen, loop=True) as live:
        until(lambda: len(seen.numbers) > 12)
        assert not live.state.ended
    assert seen.numbers.count(4) > 1


def test_a_slow_reader_gets_the_newest() -> None:
    seen = Seen(take_s=0.3)
    with network_camera() as camera, source(camera.url, seen):
        until(lambda: len(seen.numbers) > 6)
        sent = camera.number
    # Fifty a second come, three are taken: those between are skipped, and none waits in a queue.
    assert np.median(np.diff(seen.numbers[1:])) > 3
    assert sent - seen.numbers[-1] < 40


def test_a_camera_that_comes_back_is_seen_again() -> None:
    seen = Seen()
    with network_camera() as camera:
        port = camera.port
        with source(camera.url, seen, retry_s=0.2, stall_s=20.0) as live:
            until(lambda: seen.numbers)
            camera.close()
            until(lambda: live.state.problem)
            count = len(seen.numbers)
            with network_camera(port):
                until(lambda: len(seen.numbers) > count)
            assert live.state.opened == 2
    assert any("receiving frames of 192×64 px" in line for line in seen.said)


def test_a_camera_that_hangs_is_reported_and_ending_does_not_wait_for_it() -> None:
    seen = Seen()
    with network_camera() as camera:
        with source(camera.url, seen, stall_s=0.5) as live:
            until(lambda: seen.numbers)
            camera.hang = True
            until(lambda: "no frame for 0.5 s" in live.state.problem)
            until(lambda: camera.connections > 1)
            began_s = monotonic()
        assert monotonic() - began_s < 10.0  # the camera never answers


def test_nobody_there_is_said_once_and_tried_again() -> None:
    seen = Seen()
    with network_camera() as camera:
        url = camera.url.replace("127.0.0.1", "me:hunter2@127.0.0.1")
    with source(url, seen, retry_s=0.1, retry_most_s=0.2) as live:
        until(lambda: "cannot be opened" in live.state.problem)
        sleep(2.0)
    assert len(seen.said) == 1
    assert "hunter2" not in seen.said[0]
