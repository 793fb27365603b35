"""Recordings of bounded size: new files begin, old ones go, each stands for itself."""

from pathlib import Path

import pytest
from mcap.reader import make_reader
from replay_scenes import Scene
from rosbags.highlevel import AnyReader

from robot_vision.core.errors import ConfigError
from robot_vision.replay.reading.messages import Problems
from robot_vision.replay.reading.recording import Recording
from robot_vision.replay.writing.ros_types import make, output_types
from robot_vision.replay.writing.rotating import RecordedTopic, RotatingRecording


def fill(recording: RotatingRecording, frames: int) -> None:
    latched = RecordedTopic(name="/tf_static", type_name="tf2_msgs/msg/TFMessage", latched=True)
    empty = make("tf2_msgs/msg/TFMessage", {})
    data = bytes(output_types().serialize_cdr(empty, latched.type_name))
    recording.write(latched, log_ns=1, data=data)
    for message in Scene(frames=frames).messages():
        content = make(message.type_name, message.values)
        recording.write(
            RecordedTopic(name=message.topic, type_name=message.type_name),
            log_ns=message.log_ns,
            data=bytes(output_types().serialize_cdr(content, message.type_name)),
        )
    recording.close()


def test_a_short_recording_is_whole_and_other_libraries_read_it(tmp_path: Path) -> None:
    recording = RotatingRecording(tmp_path / "a", split_bytes=10**8, max_bytes=10**9)
    fill(recording, frames=5)
    assert recording.deleted == []
    with AnyReader([tmp_path / "a"]) as reader:
        assert reader.message_count == 1 + 5 * 4
        assert len(list(reader.messages())) == 21
    problems = Problems()
    assert len(list(Recording(tmp_path / "a").messages(problems))) == 21
    assert problems.as_dict() == {}


def test_what_was_latched_is_latched_when_it_is_played_again(tmp_path: Path) -> None:
    recording = RotatingRecording(tmp_path / "a", split_bytes=10**8, max_bytes=10**9)
    fill(recording, frames=1)
    with AnyReader([tmp_path / "a"]) as reader:
        offered = {c.topic: c.ext.offered_qos_profiles for c in reader.connections}
    durability = {topic: qos.durability.name for topic, (qos,) in offered.items()}
    assert durability.pop("/tf_static") == "TRANSIENT_LOCAL"
    assert set(durability.values()) == {"VOLATILE"}
    # Files of a recording stand for themselves: each says so too.
    with (tmp_path / "a" / "a_0.mcap").open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    (static,) = (c for c in summary.channels.values() if c.topic == "/tf_static")
    assert "durability: 1" in static.metadata["offered_qos_profiles"]


def test_disk_use_is_bounded_by_deleting_the_oldest(tmp_path: Path) -> None:
    recording = RotatingRecording(tmp_path / "a", split_bytes=3_000_000, max_bytes=12_000_000)
    fill(recording, frames=80)
    files = sorted((tmp_path / "a").glob("*.mcap"))
    assert sum(file.stat().st_size for file in files) <= 12_000_000
    assert recording.deleted[0] == "a_0.mcap"
    assert not set(recording.deleted) & {file.name for file in files}
    messages = list(Recording(tmp_path / "a").messages(Problems()))
    assert messages[-1].log_ns == Scene(frames=80).stamps_ns()[-1]
    for file in files:
        topics = {message.topic for message in Recording(file).messages(Problems())}
        assert "/tf_static" in topics


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is there already"):
        RotatingRecording(tmp_path, split_bytes=10, max_bytes=100)
    with pytest.raises(ConfigError, match="two files"):
        RotatingRecording(tmp_path / "a", split_bytes=10, max_bytes=15)
