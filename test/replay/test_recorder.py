"""The recorder never waits: what does not fit is dropped and counted."""

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from small_disk import small_disk

rclpy: Any = pytest.importorskip(
    "rclpy", reason="ROS 2 is not installed: pip install 'robot_vision[ros]'"
)

with warnings.catch_warnings():
    # The wheels' message generator imports lark, which imports what Python deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    pytest.importorskip("rosidl_generator_py")

from robot_vision.replay.reading.messages import Problems  # noqa: E402
from robot_vision.replay.reading.recording import Recording  # noqa: E402
from robot_vision.replay.writing.rotating import RotatingRecording  # noqa: E402

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

    from robot_vision.ros.tools.recorder import Recorder

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


SPEAK = """
import os, rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("perception")
publisher = node.create_publisher(String, "~/objects/json", 10)
def say():
    publisher.publish(String(data=os.urandom(25_000).hex()))
node.create_timer(0.005, say)
rclpy.spin(node)
"""


def test_a_full_disk_ends_recording_with_the_reason_and_true_counts(tmp_path: Path) -> None:
    environment = os.environ | {
        "ROS_DOMAIN_ID": str((os.getpid() + 57) % 100 + 1),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "COLUMNS": "1000",
    }
    with small_disk(tmp_path / "disk", size_mb=4) as disk:
        speaker = subprocess.Popen([sys.executable, "-c", SPEAK], env=environment)
        try:
            recording = subprocess.run(
                [sys.executable, "-m", "robot_vision", "record", str(disk / "a")],
                capture_output=True,
                text=True,
                env=environment,
                timeout=180,
                check=False,
            )
        finally:
            speaker.kill()
            speaker.wait()
        said = recording.stderr
        assert recording.returncode == 2, said
        assert "Traceback" not in said
        assert "No space left on device" in said
        assert f"MB are free at {disk / 'a'}: free some space, or write to another disk" in said
        found = re.search(r"/perception/objects/json: (\d+) messages, (\d+) dropped", said)
        assert found, said
        assert int(found[2]) > 0
        messages = list(Recording(disk / "a").messages(Problems()))
        assert len(messages) == int(found[1]) > 10
        assert f"message_count: {len(messages)}" in (disk / "a" / "metadata.yaml").read_text()


def test_a_signal_ends_recording_as_a_whole(tmp_path: Path) -> None:
    environment = os.environ | {
        "ROS_DOMAIN_ID": str((os.getpid() + 83) % 100 + 1),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "COLUMNS": "1000",
    }
    log = tmp_path / "log"
    speaker = subprocess.Popen([sys.executable, "-c", SPEAK], env=environment)
    record = [sys.executable, "-m", "robot_vision", "record", str(tmp_path / "a")]
    with log.open("w") as file:
        recording = subprocess.Popen(record, stderr=file, env=environment)
    try:
        deadline_s = monotonic() + 60
        while "recording /perception/objects/json" not in log.read_text():
            assert monotonic() < deadline_s, log.read_text()
            sleep(0.1)
        sleep(1.0)
        recording.send_signal(signal.SIGTERM)
        recording.wait(60)
    finally:
        speaker.kill()
        speaker.wait()
        recording.kill()
        recording.wait()
    said = log.read_text()
    assert recording.returncode == 0, said
    assert "Traceback" not in said
    counted = re.search(r"/perception/objects/json: (\d+) messages", said)
    assert counted is not None, said
    messages = list(Recording(tmp_path / "a").messages(Problems()))
    assert len(messages) == int(counted[1]) > 0
