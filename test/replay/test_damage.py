"""Recordings that are cut or changed anywhere give what they hold, and never an exception."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.opcode import Opcode
from mcap.writer import CompressionType
from replay_scenes import Scene, write_mcap, write_ros1, write_rosbag2
from rosbags.rosbag2 import StoragePlugin

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagSource
from robot_vision.replay.reading.containers.mcap import MAGIC
from robot_vision.replay.reading.frames import decode
from robot_vision.replay.reading.messages import BagError

SCENE = Scene(frames=10)
KINDS = ("zstd.mcap", "lz4.mcap", "plain.mcap", "sqlite.db3", "ros1.bag")


@lru_cache
def intact(kind: str) -> bytes:
    """The bytes of a recording of `SCENE` in small chunks."""
    with TemporaryDirectory() as folder:
        return _written(kind, Path(folder)).read_bytes()


def _written(kind: str, folder: Path) -> Path:
    if kind.endswith(".mcap"):
        compression = {"zstd": CompressionType.ZSTD, "lz4": CompressionType.LZ4}.get(
            kind.partition(".")[0], CompressionType.NONE
        )
        return write_mcap(
            folder / kind, SCENE.messages(), compression=compression, chunk_bytes=1 << 17
        )
    if kind.endswith(".db3"):
        write_rosbag2(folder / "b", SCENE.messages(), storage=StoragePlugin.SQLITE3)
        return folder / "b" / "b.db3"
    return write_ros1(folder / kind, SCENE.messages())


def suffix(kind: str) -> str:
    return kind.rpartition(".")[2]


def read_bytes(data: bytes, name: str) -> tuple[list[int], dict]:
    """What `read` gives for a file of these bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return read(path)


def read(path: Path) -> tuple[list[int], dict]:
    """Stamps of the frames that can be decoded, and the problems; nothing but BagError raises."""
    try:
        source = BagSource(path, config=ServiceConfig())
    except BagError as error:
        return [], {"refused": str(error)}
    stamps_ns = []
    for raw in source.raw_frames():
        frame = decode(raw, source.health.problems)
        if frame is not None:
            stamps_ns.append(frame.stamp_ns)
    return stamps_ns, source.health.problems.as_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_cut_in_the_middle_gives_its_first_part(kind: str) -> None:
    data = intact(kind)
    stamps_ns, problems = read_bytes(data[: len(data) * 2 // 3], f"cut.{suffix(kind)}")
    assert problems
    assert stamps_ns == SCENE.stamps_ns()[: len(stamps_ns)]
    assert len(stamps_ns) >= 4


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 1))
def test_a_recording_cut_anywhere_is_read_up_to_there(kind: str, share: float) -> None:
    data = intact(kind)
    stamps_ns, _ = read_bytes(data[: round(share * len(data))], f"cut.{suffix(kind)}")
    assert set(stamps_ns) <= set(SCENE.stamps_ns())


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=12),
    mask=st.integers(1, 255),
)
def test_changed_bytes_never_raise(kind: str, places: list[float], mask: int) -> None:
    data = bytearray(intact(kind))
    for place in places:
        data[int(place * len(data))] ^= mask
    read_bytes(bytes(data), f"changed.{suffix(kind)}")


def test_a_summary_that_lies_beyond_the_end_costs_nothing() -> None:
    data = bytearray(intact("plain.mcap"))
    summary_start_at = len(data) - len(MAGIC) - 20  # two offsets and a checksum before the magic
    data[summary_start_at : summary_start_at + 8] = bytes([255]) * 8
    stamps_ns, problems = read_bytes(bytes(data), "a.mcap")
    assert stamps_ns == SCENE.stamps_ns()
    assert "chunk damaged" in problems


@pytest.mark.parametrize("kind", ["zstd.mcap", "lz4.mcap", "plain.mcap"])
def test_a_damaged_chunk_costs_its_frames_only(kind: str) -> None:
    data = bytearray(intact(kind))
    at = len(data) // 2
    data[at : at + 200] = bytes(200)
    stamps_ns, problems = read_bytes(bytes(data), "a.mcap")
    assert "chunk damaged" in problems or "file damaged" in problems
    assert 5 <= len(stamps_ns) < SCENE.frames
    assert stamps_ns[0] == SCENE.stamps_ns()[0]
    assert stamps_ns[-1] == SCENE.stamps_ns()[-1]


def test_after_a_lost_record_length_the_next_chunk_is_found() -> None:
    data = bytearray(intact("zstd.mcap"))
    first_chunk = len(MAGIC) + 9 + int.from_bytes(data[len(MAGIC) + 1 : len(MAGIC) + 9], "little")
    assert data[first_chunk] == Opcode.CHUNK
    data[first_chunk + 1 : first_chunk + 9] = b"\xff" * 8
    stamps_ns, problems = read_bytes(bytes(data), "a.mcap")
    assert "bytes skipped" in problems["file damaged"]["first"]
    assert len(stamps_ns) >= 7


def test_a_split_recording_with_a_missing_and_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a_0.mcap").write_bytes(intact("zstd.mcap"))
    (tmp_path / "a_1.mcap").write_bytes(b"")
    (tmp_path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information: {relative_file_paths: [a_0.mcap, a_1.mcap, a_2.mcap]}"
    )
    stamps_ns, problems = read(tmp_path)
    assert stamps_ns == SCENE.stamps_ns()
    assert {"file missing", "file cut short"} <= problems.keys()
    (tmp_path / "metadata.yaml").write_text("rosbag2: [")
    stamps_ns, problems = read(tmp_path)
    assert stamps_ns == SCENE.stamps_ns()
    assert "metadata unreadable" in problems
