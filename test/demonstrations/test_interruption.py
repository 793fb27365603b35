"""A recording that is cut off anywhere: what was complete stays, what was lost is reported."""

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from demonstrations_kit import FORM, LIMITS, sample_of, write_episodes

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset, steps
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.writing import finalize_episode, index
from robot_vision.demonstrations.writing.writer import DatasetWriter

_RECORD_FOREVER = """
import sys
from contextlib import suppress
from pathlib import Path
from demonstrations_kit import FORM, LIMITS, sample_of
from robot_vision.demonstrations.writing.writer import DatasetWriter

writer = DatasetWriter(Path(sys.argv[1]), FORM, limits=LIMITS)
writer.begin("push the cup to the right")
for number in range(100_000):
    writer.add(sample_of(number % 500))
    print(number + 1, flush=True)
"""


def test_a_killed_recording_is_recovered_and_reports_what_it_lost(tmp_path: Path) -> None:
    write_episodes(tmp_path / "set", [5])
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", _RECORD_FOREVER, str(tmp_path / "set")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as recording:
        assert recording.stdout is not None
        for line in recording.stdout:
            if int(line) >= 40:
                recording.send_signal(signal.SIGKILL)
                break
    found = problems(tmp_path / "set")
    assert len(found) == 1
    assert "is an interrupted episode" in found[0]
    with DatasetWriter(tmp_path / "set", limits=LIMITS) as writer:
        assert len(writer.recovered) == 1
        assert "episode 1 was interrupted and has been recovered" in writer.recovered[0]
        assert "frames lost at its end, success unknown" in writer.recovered[0]
    assert problems(tmp_path / "set", every_image=True) == []
    with Dataset(tmp_path / "set") as dataset:
        episode = dataset.episodes[1]
        assert episode.length >= 39
        assert episode.instruction == "push the cup to the right"
        assert episode.record is not None
        assert episode.record.success is None
        assert episode.record.lost_frames <= 2


@pytest.mark.parametrize("seed", range(12))
def test_files_cut_off_at_any_byte_are_recovered_or_put_aside(tmp_path: Path, seed: int) -> None:
    """As after a power failure: each file ends somewhere."""
    chance = random.Random(seed)
    write_episodes(tmp_path / "set", [5])
    folder = _grown(tmp_path / "set", frames=30)
    for file in ("rows.arrows", "front.mp4"):
        size = (folder / file).stat().st_size
        os.truncate(folder / file, chance.randrange(size))
    with DatasetWriter(tmp_path / "set", limits=LIMITS) as writer:
        assert len(writer.recovered) == 1
        note = writer.recovered[0]
    assert problems(tmp_path / "set", every_image=True) == []
    with Dataset(tmp_path / "set") as dataset:
        if "has been recovered" in note:
            assert dataset.episodes[1].record is not None
            lost = dataset.episodes[1].record.lost_frames
            assert f"{lost} frames lost" in note
            for step in steps(dataset, episodes=[1]):
                assert step.stamp_ns == sample_of(step.frame_index).stamp_ns
        else:
            assert "before its first frame" in note
            assert len(dataset.episodes) == 1


class PowerCut(BaseException):
    """Nothing that any code would catch."""


@pytest.mark.parametrize("after", range(14))
def test_finalizing_cut_off_after_any_file_is_finished(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_episodes(tmp_path / "set", [5])
    left = after

    def cut(put):  # type: ignore[no-untyped-def]
        def putting(*args, **kwargs):  # type: ignore[no-untyped-def]
            nonlocal left
            if left == 0:
                raise PowerCut
            left -= 1
            return put(*args, **kwargs)

        return putting

    with monkeypatch.context() as patch:
        for module in (finalize_episode, index):
            for name in ("put", "write_json"):
                patch.setattr(module, name, cut(getattr(module, name)))
        patch.setattr(shutil, "rmtree", cut(shutil.rmtree))
        writer = DatasetWriter(tmp_path / "set", FORM, limits=LIMITS)
        writer.begin("words that are new")
        for number in range(6):
            writer.add(sample_of(number))
        with suppress(PowerCut):
            writer.end(success=True)
        writer.close()
    with DatasetWriter(tmp_path / "set", limits=LIMITS) as writer:
        assert writer.episodes == 2
    assert problems(tmp_path / "set", every_image=True) == []
    with Dataset(tmp_path / "set") as dataset:
        assert [e.length for e in dataset.episodes] == [5, 6]
        assert dataset.episodes[1].record is not None
        assert dataset.episodes[1].record.success is True
        assert dataset.episodes[1].record.lost_frames == 0


def test_what_cannot_be_read_is_put_aside_and_recording_goes_on(tmp_path: Path) -> None:
    write_episodes(tmp_path / "set", [5])
    folder = _grown(tmp_path / "set", frames=3)
    (folder / "episode.json").write_text("{")
    with DatasetWriter(tmp_path / "set", limits=LIMITS) as writer:
        assert "cannot be read and was set aside as" in writer.recovered[0]
        writer.begin("go on")
        writer.add(sample_of(0))
        assert writer.end() == 1
    with DatasetWriter(tmp_path / "set", limits=LIMITS) as writer:
        assert writer.recovered == []


def test_an_open_episode_is_discarded_with_its_writer(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "set", FORM, limits=LIMITS) as writer:
        with pytest.raises(DatasetError, match="no episode is open"):
            writer.end()
        with pytest.raises(DatasetError, match="needs an instruction"):
            writer.begin("  ")
        writer.begin("pick it")
        with pytest.raises(DatasetError, match="an episode is open"):
            writer.begin("pick it")
        writer.add(sample_of(0))
        assert writer.discard() == 1
        writer.begin("an episode without frames")
        assert writer.end() is None
        writer.begin("left open")
    assert list((tmp_path / "set" / ".recording").glob("*/")) == []
    assert not list((tmp_path / "set").glob("data/*/*"))


def _grown(root: Path, *, frames: int) -> Path:
    """Leave an episode that was never ended, as a process that died would."""
    writer = DatasetWriter(root, FORM, limits=LIMITS)
    writer.begin("pick it up")
    for number in range(frames):
        writer.add(sample_of(number))
    (folder,) = (p for p in (root / ".recording").iterdir() if p.is_dir())
    copy = root.parent / "grown"
    shutil.copytree(folder, copy)
    writer.close()
    return shutil.move(copy, folder)
