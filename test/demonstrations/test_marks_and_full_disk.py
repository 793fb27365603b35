"""The operator's mark outlives a full disk: the episode is added with it when there is room."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from demonstrations_kit import LIMITS, sample_of, write_episodes
from small_disk import fill, small_disk

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset, steps
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.writing.ended import EpisodeWaitsError
from robot_vision.demonstrations.writing.writer import DatasetWriter

FRAMES = 20


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_mb=6) as disk:
        write_episodes(disk / "set", [5])
        yield disk / "set"


def record(writer: DatasetWriter, *, words: str = "pick the red cube") -> None:
    writer.begin(words)
    for number in range(FRAMES):
        writer.add(sample_of(number))


def marks(root: Path) -> list[bool | None]:
    assert problems(root, every_image=True) == []
    with Dataset(root) as dataset:
        assert len(list(steps(dataset))) == len(dataset)
        return [episode.record.success for episode in dataset.episodes if episode.record]


# From no room at all to enough for all of it.
@pytest.mark.parametrize("leave_kb", [0, 4, 8, 16, 24, 32, 48, 64, 80, 96, 128, 192, 256, 400])
@pytest.mark.parametrize("then", ["retry", "restart"])
def test_success_survives_a_full_disk(root: Path, leave_kb: int, then: str) -> None:
    writer = DatasetWriter(root, limits=LIMITS)
    record(writer)
    ballast = fill(root.parent, leave_bytes=leave_kb << 10)
    try:
        assert writer.end(success=True) == 1
    except EpisodeWaitsError as error:
        assert writer.waiting == 1
        report = str(error)
        assert "'pick the red cube', success marked as: success) is not part of" in report
        assert "MB are free at" in report
        assert "with its mark in" in report, "room is kept for it"
        assert "is added as soon as there is room" in report
        assert writer.add_waiting() == []
    else:
        assert writer.waiting == 0
    waited = writer.waiting
    if then == "restart":
        writer.close()
        writer = DatasetWriter(root, limits=LIMITS)  # on the disk that is still full
    ballast.unlink()
    assert len(writer.add_waiting()) == waited
    assert writer.waiting == 0
    record(writer)
    assert writer.end(success=False) == 2
    writer.close()
    assert marks(root) == [True, True, False]


def test_episodes_keep_their_order_and_their_marks(root: Path) -> None:
    writer = DatasetWriter(root, limits=LIMITS)
    record(writer, words="first")
    ballast = fill(root.parent)
    with pytest.raises(EpisodeWaitsError, match="success marked as: failure"):
        writer.end(success=False)
    with pytest.raises(EpisodeWaitsError, match="'first'"):
        writer.begin("second")
    ballast.unlink()
    record(writer, words="second")
    assert writer.end(success=True) == 2
    writer.close()
    assert marks(root) == [True, False, True]


def test_a_disk_that_gets_full_while_recording_costs_frames_but_not_the_mark(root: Path) -> None:
    writer = DatasetWriter(root, limits=LIMITS)
    record(writer)
    ballast = fill(root.parent)
    more = map(sample_of, range(FRAMES, 10 * FRAMES))
    with pytest.raises((OSError, DatasetError)):
        deque(map(writer.add, more), maxlen=0)
    with pytest.raises(EpisodeWaitsError, match="with its mark in"):
        writer.end(success=True)
    ballast.unlink()
    (said,) = writer.add_waiting()
    assert said.startswith(
        "episode 1 was added now that there is room: 'pick the red cube', "
        "success marked as: success"
    )
    writer.close()
    assert marks(root) == [True, True]
    with Dataset(root) as dataset:
        assert dataset.episodes[1].length >= FRAMES - 2


def test_what_was_discarded_on_a_full_disk_does_not_come_back(root: Path) -> None:
    writer = DatasetWriter(root, limits=LIMITS)
    record(writer)
    ballast = fill(root.parent)
    assert writer.discard() == FRAMES
    writer.close()
    ballast.unlink()
    with DatasetWriter(root, limits=LIMITS) as writer:
        assert writer.recovered == []
        assert writer.episodes == 1


def test_nothing_is_begun_on_a_full_disk_and_nothing_is_left_of_it(root: Path) -> None:
    writer = DatasetWriter(root, limits=LIMITS)
    ballast = fill(root.parent)
    with pytest.raises(OSError, match="No space left"):
        writer.begin("pick it")
    ballast.unlink()
    record(writer)
    writer.end(success=True)
    writer.close()
    assert marks(root) == [True, True]
    with DatasetWriter(root, limits=LIMITS) as writer:
        assert writer.recovered == []
