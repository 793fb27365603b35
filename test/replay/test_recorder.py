"""The recorder never waits: what does not fit is dropped and counted."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

rclpy: Any = pytest.importorskip(
    "rclpy", reason="ROS 2 is not installed: pip install 'robot_vision[ros]'"
)

with warnings.catch_warnings():
    # The wheels' message generator imports lark, which imports what Python deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("rosidl_generator_py")

from robot_vision.replay.messages import Problems  # noqa: E402
from robot_vision.replay.recording import Recording  # noqa: E402
from robot_vision.replay.rotating import RotatingRecording  # noqa: E402

pytestmark = pytest.mark.ros


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from rclpy.executors import SingleThreadedExecutor

    monkeypatch.setenv("ROS_DOMAIN_ID", str((os.getpid() + 31) % 100 + 1))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    rclpy.init()
    made = SingleThreadedExecutor()
    yield made
    made.shutdown()
    rclpy.shutdown()


@pytest.mark.parametrize(("buffer_bytes", "fits"), [(1_000_000, True), (10, False)])
def test_messages_are_written_or_counted_as_dropped(
    executor: Any, tmp_path: Path, buffer_bytes: int, fits: bool
) -> None:
    from std_msgs.msg import String

    from robot_vision.ros.recorder import Recorder

    said: list[str] = []
    speaker = rclpy.create_node("perception")
    publisher = speaker.create_publisher(String, "~/objects/json", 10)
    node = rclpy.create_node("listener")
    recorder = Recorder(
        node,
        RotatingRecording(tmp_path / "a", split_bytes=10**6, max_bytes=10**7),
        target="/perception",
        exclude="",
        buffer_bytes=buffer_bytes,
        log=said.append,
    )
    executor.add_node(node)
    total, deadline_s = 0, monotonic() + 30
    while total < 5 and monotonic() < deadline_s:
        # As fast as it can, it would fill the buffer before the writer's thread has its turn.
        sleep(0.005)
        publisher.publish(String(data="x" * 100))
        executor.spin_once(timeout_sec=0.05)
        total = recorder.dropped.total() + recorder.counts.total()
    recorder.close()
    for each in (node, speaker):
        each.destroy_node()
    topic = "/perception/objects/json"
    assert recorder.topics == [topic]
    assert f"recording {topic}" in said
    assert (recorder.counts[topic] >= 5, recorder.dropped[topic] >= 5) == (fits, not fits)
    messages = list(Recording(tmp_path / "a").messages(Problems()))
    assert len(messages) == recorder.counts[topic]
