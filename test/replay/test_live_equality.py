"""What the node said live is what replay says of the recording of its inputs."""

import json
import os
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from replay_scenes import COLOR, DEPTH, INFO, Scene, write_mcap

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.messages import Decoder, Problems
from robot_vision.replay.reading.recording import Recording

pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'robot_vision[ros]'")

# Processes that meet late lose what came first, so nothing is to be seen in the first frames.
FRAMES, EMPTY = 50, 15
POSITION_TOLERANCE_M, BOX_TOLERANCE_PX = 1e-3, 0.1


@pytest.mark.ros
@pytest.mark.parametrize("kind", ["detector", "pose_detector"])
def test_live_and_replayed_tracks_are_equal(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = request.getfixturevalue(kind)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(os.getpid() % 100 + 1))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    scene = write_mcap(tmp_path / "scene.mcap", Scene(frames=FRAMES, empty=EMPTY).messages())
    values = {"model": str(detector), "threads": 1, "detector.nms_iou": 0.2}
    # Slower where this machine is too busy to see every frame.
    for speed in (0.2, 0.1, 0.04):
        folder = tmp_path / str(speed)
        recorded = record_live(scene, values, folder, speed=speed)
        live = live_tracks(recorded)
        replayed = replayed_tracks(recorded, values, folder / "out")
        with_squares = sorted(replayed)[EMPTY - FRAMES :]
        if len(with_squares) == FRAMES - EMPTY and with_squares == sorted(live)[EMPTY - FRAMES :]:
            break
    assert with_squares == sorted(live)[EMPTY - FRAMES :], "frames were dropped at this pace"
    assert sum(len(tracks) for tracks in live.values()) > FRAMES
    for stamp_ns in with_squares:
        assert_same(live[stamp_ns], replayed[stamp_ns], stamp_ns)
    has_keypoints = [t["keypoints"] is not None for ts in live.values() for t in ts]
    assert any(has_keypoints) == (kind == "pose_detector")


def assert_same(live: list[Any], replayed: list[Any], stamp_ns: int) -> None:
    def key(track: dict[str, Any]) -> tuple[Any, ...]:
        return track["id"], track["class"], track["state"]

    assert [key(t) for t in live] == [key(t) for t in replayed], stamp_ns
    for a, b in zip(live, replayed, strict=True):
        np.testing.assert_allclose(a["box_xyxy_px"], b["box_xyxy_px"], atol=BOX_TOLERANCE_PX)
        assert a["keypoints"] == b["keypoints"]
        assert (a["position_m"] is None) == (b["position_m"] is None)
        if a["position_m"] is not None:
            np.testing.assert_allclose(a["position_m"], b["position_m"], atol=POSITION_TOLERANCE_M)


def record_live(scene: Path, values: dict[str, Any], folder: Path, *, speed: float) -> Path:
    """Play `scene` slowly to a node while another process records both."""
    from robot_vision.ros.tools.processes import child

    folder.mkdir()
    ros_args = ["--ros-args", "-r", f"rgb:={COLOR}", "-r", f"depth:={DEPTH}"]
    ros_args += ["-r", f"camera_info:={INFO}"]
    reliable = {"input.reliability": "reliable", "input.queue_depth": 20, "sync.wait_s": 0.5}
    for name, value in (values | reliable).items():
        ros_args += ["-p", f"{name}:={value}"]
    out, log = folder / "live", folder / "recorder.log"
    with (
        child("robot_vision.ros.run", *ros_args, log=str(folder / "node.log")),
        child("robot_vision", "record", str(out), log=str(log)) as recorder,
    ):
        wait_for(log, "recording /perception/objects/json")
        with child(
            "robot_vision.ros.tools.player",
            str(scene),
            "--speed",
            str(speed),
            log=str(folder / "player.log"),
        ) as player:
            player.wait(120)
        sleep(0.5)
        recorder.send_signal(2)
        recorder.wait(60)
    assert recorder.returncode == 0, log.read_text()
    return out


def wait_for(log: Path, wanted: str, timeout_s: float = 90.0) -> None:
    deadline_s = monotonic() + timeout_s
    while wanted not in log.read_text():
        assert monotonic() < deadline_s, log.read_text()
        sleep(0.2)


def live_tracks(recorded: Path) -> dict[int, list[Any]]:
    """Tracks by stamp, from the node's own messages."""
    decoder, problems = Decoder(is_ros1=False), Problems()
    texts = [
        json.loads(decoder.decode(m, problems).data)  # pyright: ignore[reportOptionalMemberAccess]
        for m in Recording(recorded).messages(problems)
        if m.topic == "/perception/objects/json"
    ]
    return {text["stamp_ns"]: text["objects"] for text in texts}


def replayed_tracks(recorded: Path, values: dict[str, Any], out: Path) -> dict[int, list[Any]]:
    """Tracks by stamp, from the MCAP that replay writes."""
    config = with_values(NodeConfig(), values)
    result = run_job(Job(name="live", path=recorded, config=config, out=out, images="none"))
    assert result["error"] == ""
    return live_tracks(out / "perception.mcap")
