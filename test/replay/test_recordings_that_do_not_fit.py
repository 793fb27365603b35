"""A recording or an option that cannot be used is refused with its cause, before any replay."""

from pathlib import Path

import pytest
from replay_scenes import COLOR, DEPTH

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import NodeConfig, ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.sources import open_source
from robot_vision.replay.running.runner import RunOptions

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345678\n"


def open_recording(path: Path, topics: Topics | None = None) -> None:
    options = BagOptions(topics=topics or Topics())
    open_source(path, config=ServiceConfig(), options=options)


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag", "a.mp4", "split/a_0.mcap"])
def test_a_git_lfs_pointer_is_not_taken_for_an_empty_recording(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(POINTER)
    with pytest.raises(BagError, match=r"Git LFS pointer .* run `git lfs pull`"):
        open_recording(file.parent if "/" in name else file)


@pytest.mark.parametrize(("name", "why"), [("a.mcap", "MCAP magic"), ("a.bag", "ROS 1 bag")])
def test_a_file_without_messages_says_what_is_wrong_with_it(
    name: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(BagError, match=f"no readable messages .*{why}"):
        open_recording(tmp_path / name)


def test_other_files_and_folders_of_recordings_say_what_to_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BagError, match=r"a bag \(\.mcap.*a video \(\.mp4.*or a folder"):
        open_recording(tmp_path / "notes.txt")
    (tmp_path / "bags" / "monday").mkdir(parents=True)
    with pytest.raises(BagError, match="it has the folders monday"):
        open_recording(tmp_path / "bags")


def test_topics_of_another_type_or_given_twice_are_refused(recording: Path) -> None:
    with pytest.raises(BagError, match=r"'/tf' is tf2_msgs/msg/TFMessage; expected .*/Image"):
        open_recording(recording, Topics(rgb="/tf"))
    with pytest.raises(BagError, match="expected sensor_msgs/msg/CameraInfo"):
        open_recording(recording, Topics(info=DEPTH))
    with pytest.raises(BagError, match="for colour and for depth"):
        open_recording(recording, Topics(rgb=COLOR, depth=COLOR))


def replayed(recording: Path, detector: Path, *, run: RunOptions, bag: BagOptions) -> str:
    config = with_values(NodeConfig(), {"model": str(detector), "threads": 1})
    return run_job(Job(name="a", path=recording, config=config, run=run, bag=bag))["error"]


def test_a_replay_without_a_frame_says_why(recording: Path, detector: Path) -> None:
    depth_as_colour = BagOptions(topics=Topics(rgb=DEPTH))
    error = replayed(recording, detector, run=RunOptions(), bag=depth_as_colour)
    assert "'16UC1' is an encoding of depth" in error
    late = replayed(recording, detector, run=RunOptions(from_s=5), bag=BagOptions())
    assert "no colour image from 5 s after the first" in late


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"from 2 s to 1 s: expected an end after"):
        RunOptions(from_s=2, to_s=1)
    assert RunOptions(from_s=0, to_s=0).to_s == 0
