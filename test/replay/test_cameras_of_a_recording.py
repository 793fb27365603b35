"""Which topics belong to one camera, and what becomes of two clocks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from replay_scenes import COLOR, DEPTH, HEIGHT, WIDTH, Message, Scene, header_of, write_mcap
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.parameters.config import NodeConfig, ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.frames import decode
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.running.runner import RunOptions


def two_cameras() -> Iterator[Message]:
    """Camera 2 is three times as far, lost two colour images; camera 1 lost two of depth."""
    for message in Scene(frames=12, transforms=False).messages():
        index = round((message.log_ns - Scene().start_ns) / 33_333_333)
        for camera, factor, lost in (("cam_1", 1, (DEPTH, 5, 8)), ("cam_2", 3, (COLOR, 6, 7))):
            if message.topic == lost[0] and index in lost[1:]:
                continue
            header = header_of(message.log_ns, f"{camera}_optical")
            values = {**message.values, "header": header}
            if message.topic == DEPTH:
                values["data"] = (values["data"].view("u2") * factor).astype("u2").view("u1")
            topic = message.topic.replace("/cam/", f"/{camera}/")
            yield replace(message, topic=topic, values=values)


def open_bag(path: Path, topics: Topics) -> BagSource:
    return BagSource(path, config=ServiceConfig(), options=BagOptions(topics=topics))


def test_two_cameras_are_refused_with_the_choices(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", two_cameras())
    with pytest.raises(BagError, match=r"/cam_1/color/image_raw, /cam_2/.* with --rgb-topic"):
        open_bag(path, Topics())


@pytest.mark.parametrize(("camera", "wall_m"), [("cam_1", 2.0), ("cam_2", 6.0)])
@pytest.mark.parametrize("role", ["rgb", "depth", "info"])
def test_one_topic_decides_the_camera(
    camera: str, wall_m: float, role: str, tmp_path: Path
) -> None:
    path = write_mcap(tmp_path / "a.mcap", two_cameras())
    names = {"rgb": "color/image_raw", "depth": "depth_to_color/image_raw"}
    asked = f"/{camera}/{names.get(role, 'color/camera_info')}"
    source = open_bag(path, Topics(**{role: asked}))  # pyright: ignore[reportArgumentType]
    topics = source.topics
    assert {t.split("/")[1] for t in (topics.rgb, topics.depth, topics.info)} == {camera}
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    depths = [frame.depth_m[0, 0] for frame in frames if frame and frame.depth_m is not None]
    assert depths == pytest.approx([wall_m] * 10, abs=1e-4)


def test_thermal_and_infrared_are_not_depth(tmp_path: Path) -> None:
    for number, name in enumerate(("/cam/thermal/image_raw", "/cam/ir/image_raw")):
        messages = [
            replace(m, topic=name) if m.topic == DEPTH else m for m in Scene(frames=3).messages()
        ]
        source = open_bag(write_mcap(tmp_path / f"{number}.mcap", messages), Topics())
        assert source.topics.depth == ""
        assert source.topics.others[name]


def shifted_depth(by_ns: int) -> Iterator[Message]:
    for message in Scene(frames=20, transforms=False).messages():
        if message.topic != DEPTH:
            yield message
            continue
        header = header_of(message.log_ns + by_ns)
        yield replace(message, values={**message.values, "header": header})


@pytest.mark.parametrize("by_s", [1234 - 1_700_000_000, -30, 30, 100_000_000])
def test_depth_on_another_clock_is_said_and_restarts_nothing(by_s: int, tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", shifted_depth(by_s * 1_000_000_000))
    source = open_bag(path, Topics())
    frames = list(source.raw_frames())
    assert [frame.stamp_ns for frame in frames] == Scene(frames=20).stamps_ns()
    problems = source.health.problems.as_dict()
    assert list(problems) == ["depth on another clock"]
    assert problems["depth on another clock"]["count"] == 20
    assert f"{by_s:+.1f} s" in problems["depth on another clock"]["first"]


def test_depth_is_used_where_simulated_time_ran_slower_than_the_recording(tmp_path: Path) -> None:
    """Each depth image came before its colour image, 3.3 s after the one before."""
    scene = Scene(frames=8, transforms=False)
    slow = [
        replace(
            message,
            log_ns=scene.start_ns
            + 100 * (message.log_ns - scene.start_ns)
            - 1_000_000 * (message.topic == DEPTH),
        )
        for message in scene.messages()
    ]
    path = write_mcap(tmp_path / "a.mcap", sorted(slow, key=lambda message: message.log_ns))
    source = open_bag(path, Topics())
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    assert source.health.problems.as_dict() == {}
    assert [frame is not None and frame.depth_m is not None for frame in frames] == [True] * 8


def test_a_clock_that_is_set_is_not_waited_for(detector: Path, tmp_path: Path) -> None:
    before = Scene(frames=6, start_ns=5_000_000_000, transforms=False).messages()
    after = Scene(frames=6, transforms=False).messages()
    path = write_mcap(tmp_path / "a.mcap", [*before, *after])
    config = with_values(NodeConfig(), {"model": str(detector), "threads": 1})
    start_s = monotonic()
    result = run_job(Job(name="a", path=path, config=config, run=RunOptions(rate=1.0)))
    assert monotonic() - start_s < 40
    assert result["error"] == ""
    assert result["run"]["read"] == 12
    assert result["input"]["problems"]["stamps jump"]["count"] == 1


def test_list_says_what_would_be_used_and_why(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", two_cameras())
    refused = CliRunner().invoke(app, ["replay", str(path), "--list"])
    assert refused.exit_code == 2
    assert "--rgb-topic" in refused.output
    asked = ["replay", str(path), "--list", "--rgb-topic", "/cam_2/color/image_raw"]
    listed = CliRunner().invoke(app, asked)
    assert listed.exit_code == 0
    words = " ".join(listed.output.split())
    assert "colour: /cam_2/color/image_raw (as requested)" in words
    assert "depth: /cam_2/depth_to_color/image_raw (the camera of the colour topic" in words
    assert "not used: /cam_1/depth_to_color/image_raw" in words
    # 12 images at 30 Hz, of which two are lost.
    assert f"(as requested) {WIDTH}×{HEIGHT} rgb8, 24.5 Hz" in words
    assert "no intrinsics" not in words


def test_list_says_what_lacks_intrinsics(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", Scene(frames=3, info=False).messages())
    listed = CliRunner().invoke(app, ["replay", str(path), "--list"])
    expected = "objects stay in 2-D without --intrinsics fx,fy,cx,cy or --info-topic NAME"
    assert f"  no intrinsics: {expected}" in listed.output.splitlines()
