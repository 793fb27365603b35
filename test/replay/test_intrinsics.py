"""Implausible intrinsics of a recording are unknown and reported, as they are live."""

from pathlib import Path

import pytest
from replay_scenes import DEPTH, HEIGHT, INFO, WIDTH, Message, Scene, write_mcap, write_ros1

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import NodeConfig, ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.jobs.options import parse_run
from robot_vision.replay.reading.bag import BagSource
from robot_vision.replay.reading.frames import decode


def messages(frames: int, *, fx_px: float, first: int = 0, last: int = 1000) -> list[Message]:
    """A scene whose camera_info has another focal length in the frames from `first` to `last`."""
    changed = []
    stamps_ns = Scene(frames=frames).stamps_ns()
    for message in Scene(frames=frames).messages():
        if message.topic == INFO and first <= stamps_ns.index(message.log_ns) < last:
            k = [fx_px, 0, WIDTH / 2, 0, fx_px, HEIGHT / 2, 0, 0, 1]
            message.values["k"] = k
        changed.append(message)
    return changed


@pytest.mark.parametrize("fx_px", [1e300, -300.0, float("nan"), 1e-9, 0.0])
@pytest.mark.parametrize("write", [write_mcap, write_ros1])
def test_frames_with_implausible_intrinsics_have_no_camera(
    fx_px: float, write, tmp_path: Path
) -> None:
    suffix = ".mcap" if write is write_mcap else ".bag"
    path = write(tmp_path / f"a{suffix}", messages(10, fx_px=fx_px, first=4, last=7))
    source = BagSource(path, config=ServiceConfig())
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    known = [frame is not None and frame.camera is not None for frame in frames]
    assert known == [True] * 4 + [False] * 3 + [True] * 3
    problem = source.health.problems.as_dict()["intrinsics invalid"]
    assert problem["count"] == 3
    assert "camera_info has" in problem["first"]


def test_a_replay_goes_on_without_space_and_says_so(detector: Path, tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", messages(8, fx_px=1e300))
    config = with_values(NodeConfig(), {"model": str(detector), "threads": 1})
    result = run_job(Job(name="a", path=path, config=config))
    assert result["status"] == "pass"
    assert "field of view" in result["input"]["problems"]["intrinsics invalid"]["first"]
    tracks = result["figures"]["tracks"]
    assert tracks
    assert all(row["mean_position_in_camera_m"] is None for row in tracks)


def test_intrinsics_of_the_command_line_are_checked_too(detector: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected finite fx.*focal"):
        parse_run(rate="1", from_s=0, to_s=1, intrinsics="inf,1,1,1")
    path = write_mcap(tmp_path / "a.mcap", Scene(frames=3).messages())
    run = parse_run(rate="as-fast-as-possible", from_s=0, to_s=9, intrinsics="1e300,1e300,1,1")
    config = with_values(NodeConfig(), {"model": str(detector), "threads": 1})
    result = run_job(Job(name="a", path=path, config=config, run=run))
    assert "--intrinsics has fx" in result["input"]["problems"]["intrinsics invalid"]["first"]


def test_depth_in_another_frame_is_not_used_as_if_aligned(tmp_path: Path) -> None:
    scene = list(Scene(frames=4).messages())
    for message in scene:
        if message.topic == DEPTH:
            message.values["header"] = {**message.values["header"], "frame_id": "cam_depth"}
    source = BagSource(write_mcap(tmp_path / "a.mcap", scene), config=ServiceConfig())
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    assert all(frame is not None and frame.depth_m is None for frame in frames)
    problem = source.health.problems.as_dict()["depth in another frame"]
    assert problem["count"] == 4
    assert "depth is in 'cam_depth', colour in 'cam_optical'" in problem["first"]
