"""On a full disk a recording says what it has, and what it has can be read."""

import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader
from replay_scenes import Scene, red_square_bundle, write_mcap
from small_disk import fill as ballast
from small_disk import small_disk

from robot_vision.core.files.disk import DiskFullError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.messages import Problems
from robot_vision.replay.reading.recording import Recording
from robot_vision.replay.writing.mcap_file import CHUNK_BYTES, McapFile
from robot_vision.replay.writing.ros_types import make, output_types
from robot_vision.replay.writing.rotating import RecordedTopic, RotatingRecording

TOPIC = RecordedTopic(name="/words", type_name="std_msgs/msg/String")
FEW = RecordedTopic(name="/few", type_name="std_msgs/msg/String")


def message(size_bytes: int) -> bytes:
    """Words that do not compress."""
    words = make(TOPIC.type_name, {"data": os.urandom(size_bytes // 2).hex()})
    return bytes(output_types().serialize_cdr(words, TOPIC.type_name))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_mb=4) as folder:
        yield folder


def fill(recording: RotatingRecording) -> tuple[int, str]:
    """Write until the disk is full; returns how many messages were taken, and what was said."""
    for taken in range(1, 1000):
        topic = FEW if taken % 50 == 0 else TOPIC
        try:
            recording.write(topic, log_ns=taken, data=message(20_000))
        except DiskFullError as full:
            return taken, str(full)
    raise AssertionError("the disk does not get full")


@pytest.mark.parametrize("split_bytes", [100_000_000, 1_500_000])
def test_what_is_counted_can_be_read_and_the_rest_is_dropped(disk: Path, split_bytes: int) -> None:
    recording = RotatingRecording(disk / "a", split_bytes=split_bytes, max_bytes=10**9)
    taken, said = fill(recording)
    recording.close()
    assert "No space left on device" in said
    assert "free some space" in said
    problems = Problems()
    read = Counter(m.topic for m in Recording(disk / "a").messages(problems))
    assert problems.as_dict() == {}
    assert read == recording.counts
    assert read.total() > 50
    assert read.total() + recording.lost.total() == taken
    assert set(read) == {TOPIC.name, FEW.name}
    metadata = yaml.safe_load((disk / "a" / "metadata.yaml").read_text())
    about = metadata["rosbag2_bagfile_information"]
    assert about["message_count"] == read.total()
    counts = {
        entry["topic_metadata"]["name"]: entry["message_count"]
        for entry in about["topics_with_message_count"]
    }
    assert counts == dict(read)
    for path in (disk / "a").glob("*.mcap"):
        with path.open("rb") as file:
            summary = make_reader(file).get_summary()
            assert summary is not None
            assert summary.statistics is not None
            file.seek(0)
            seen = sum(1 for _ in make_reader(file).iter_messages())
            assert summary.statistics.message_count == seen
    assert sorted(p.name for p in (disk / "a").iterdir() if p.name.startswith(".")) == []


def test_nothing_can_be_begun_on_a_full_disk_and_the_error_says_so(disk: Path) -> None:
    (disk / "ballast").write_bytes(bytes(4 * 2**20))
    with pytest.raises(DiskFullError, match=r"cannot write .*a_0.mcap: No space left.*0.0 MB"):
        RotatingRecording(disk / "a", split_bytes=10**6, max_bytes=10**7)


def test_a_file_without_trouble_is_as_other_libraries_expect(tmp_path: Path) -> None:
    file = McapFile(tmp_path / "a.mcap", compression="zstd")
    for number in range(300):
        file.add("/words", TOPIC.type_name, log_ns=1000 - number, data=message(10_000))
    assert file.counts["/words"] < 300, "what waits is not written yet"
    file.flush()
    assert file.counts["/words"] == 300
    file.close()
    file.close()
    with pytest.raises(ValueError, match="is closed"):
        file.add("/words", TOPIC.type_name, log_ns=1, data=b"")
    with (tmp_path / "a.mcap").open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 300
        assert (summary.statistics.message_start_time, summary.statistics.message_end_time) == (
            701,
            1000,
        )
        assert len(summary.chunk_indexes) == summary.statistics.chunk_count >= 3
        assert max(c.uncompressed_size for c in summary.chunk_indexes) < CHUNK_BYTES + 20_000
        assert [m.log_time for _, _, m in reader.iter_messages()] == list(range(701, 1001))


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
from test_full_disk import TOPIC, message
from robot_vision.core.files.disk import DiskFullError
from robot_vision.replay.writing.rotating import RotatingRecording
recording = RotatingRecording(Path(sys.argv[1]), split_bytes=10**8, max_bytes=10**9)
try:
    for number in range(1000):
        recording.write(TOPIC, log_ns=number + 1, data=message(20_000))
except DiskFullError as error:
    print(error)
try:
    recording.close()
except DiskFullError as error:
    print(error)
print(recording.counts.total())
"""


def test_a_limit_on_files_is_reported_like_a_full_disk(tmp_path: Path) -> None:
    """Where no small disk can be mounted this is tried at least."""
    paths = [str(tmp_path / "a"), str(Path(__file__).parent)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[1])])
    }
    writing = subprocess.run(
        [sys.executable, "-c", LIMITED, *paths],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=180,
    )
    assert "File too large" in writing.stdout
    count = int(writing.stdout.split()[-1])
    assert count > 50
    assert len(list(Recording(tmp_path / "a").messages(Problems()))) == count
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 3_000_000


def test_replay_ends_with_the_reason_and_its_outputs_can_be_read(tmp_path: Path) -> None:
    bag = tmp_path / "bag.mcap"
    write_mcap(bag, list(Scene(frames=40).messages()))
    with small_disk(tmp_path / "disk", size_mb=2) as folder:
        ballast(folder, leave_bytes=540 << 10)
        job = Job(
            name="bag",
            path=bag,
            config=ServiceConfig(model=str(red_square_bundle(tmp_path / "model")), threads=1),
            out=folder / "out",
        )
        result = run_job(job)
        assert result["status"] == "failed"
        assert "No space left on device" in result["error"]
        assert "free some space" in result["error"]
        with (folder / "out" / "perception.mcap").open("rb") as file:
            summary = make_reader(file).get_summary()
            assert summary is not None
            assert summary.statistics is not None
            file.seek(0)
            seen = sum(1 for _ in make_reader(file).iter_messages())
            assert seen == summary.statistics.message_count > 0
