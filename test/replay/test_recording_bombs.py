"""Small recordings that stand for gigabytes, or never end, cost bounded memory, disk and time."""

import bz2
import sqlite3
import struct
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter

import lz4.frame
import numpy as np
import pytest
import zstandard
from child import run_child
from mcap.opcode import Opcode
from replay_scenes import Scene, write_mcap, write_rosbag2
from rosbags.rosbag2 import StoragePlugin
from small_disk import small_disk

from robot_vision.codecs.unpack import Unpacker
from robot_vision.core.errors import ForeignFileError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.reading.bag import BagSource
from robot_vision.replay.reading.containers.mcap import MAGIC
from robot_vision.replay.reading.messages import (
    MOST_TOPICS,
    Decoder,
    Problems,
    RawMessage,
    TopicTable,
)
from robot_vision.replay.reading.recording import Recording

BOMB_BYTES = 2_000_000_000
PIECE_BYTES = 50_000_000
SMALL = InputLimits(chunk_mb=4, step_s=1)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
    "bz2": bz2.compress,
}

READ = """
from pathlib import Path
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.replay.reading.messages import Problems
from robot_vision.replay.reading.recording import Recording
before_mb = peak_mb()
problems = Problems()
limits = InputLimits(chunk_mb=16)
count = sum(1 for _ in Recording(Path(arguments[0]), limits).messages(problems))
print(count, problems.as_dict())
"""


def zstd_zeros() -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    piece = bytes(PIECE_BYTES)
    body = b"".join(packer.compress(piece) for _ in range(BOMB_BYTES // PIECE_BYTES))
    return body + packer.flush()


def lz4_zeros() -> bytes:
    packer, piece = lz4.frame.LZ4FrameCompressor(), bytes(PIECE_BYTES)
    parts = [packer.begin()]
    parts += [packer.compress(piece) for _ in range(BOMB_BYTES // PIECE_BYTES)]
    return b"".join([*parts, packer.flush()])


def bz2_zeros() -> bytes:
    return bz2.compress(bytes(PIECE_BYTES))  # it packs slowly: a few times the limit will do


def record(opcode: int, body: bytes) -> bytes:
    return struct.pack("<BQ", opcode, len(body)) + body


def mcap_of(compression: str, records: bytes, *, said_bytes: int) -> bytes:
    """An MCAP of one chunk."""
    name = compression.encode()
    head = struct.pack("<QQQII", 0, 1, said_bytes, 0, len(name)) + name
    chunk = head + struct.pack("<Q", len(records)) + records
    start = record(Opcode.HEADER, struct.pack("<II", 0, 0))
    return MAGIC + start + record(Opcode.CHUNK, chunk) + record(Opcode.DATA_END, bytes(4))


def ros1_of(compression: str, records: bytes) -> bytes:
    """A ROS 1 bag of one chunk."""
    fields = (b"op=\x05", b"compression=" + compression.encode(), b"size=" + bytes(4))
    header = b"".join(struct.pack("<I", len(field)) + field for field in fields)
    sizes = (struct.pack("<I", len(header)), struct.pack("<I", len(records)))
    return b"#ROSBAG V2.0\n" + sizes[0] + header + sizes[1] + records


BOMBS: dict[str, Callable[[], bytes]] = {
    "zstd.mcap": lambda: mcap_of("zstd", zstd_zeros(), said_bytes=BOMB_BYTES),
    "zstd-lies.mcap": lambda: mcap_of("zstd", zstd_zeros(), said_bytes=1000),
    "lz4.mcap": lambda: mcap_of("lz4", lz4_zeros(), said_bytes=BOMB_BYTES),
    "bz2.bag": lambda: ros1_of("bz2", bz2_zeros()),
    "lz4.bag": lambda: ros1_of("lz4", lz4_zeros()),
    "whole.mcap.zstd": zstd_zeros,
    "whole.db3.zstd": zstd_zeros,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_gigabytes_is_given_up_at_the_limit(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 10_000_000
    done = run_child(READ, path, limit_s=60, limit_gb=2.0)
    assert done.grown_mb < 120
    assert done.lines[0].startswith("0 {")
    assert "damaged" in done.lines[0] or "file cut short" in done.lines[0]


def test_a_packed_file_leaves_nothing_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "a.mcap.zstd").write_bytes(zstd_zeros())
    problems = Problems()
    assert list(Recording(tmp_path / "a.mcap.zstd", SMALL).messages(problems)) == []
    assert "limits.growth" in str(problems.as_dict())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_small_disk_takes_a_file_that_it_has_room_for(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", size_mb=20) as disk:
        for name, megabytes in (("fits", 15), ("large", 19)):
            (tmp_path / name).write_bytes(zstandard.compress(bytes(megabytes * 2**20)))
        Unpacker(1000).unpack_file(tmp_path / "fits", disk / "plain")
        assert (disk / "plain").stat().st_size == 15 * 2**20
        (disk / "plain").unlink()
        with pytest.raises(ForeignFileError, match=r"the disk has no room: large unpacks to more"):
            Unpacker(1000).unpack_file(tmp_path / "large", disk / "plain")


def test_chunks_share_what_a_recording_may_grow_to(tmp_path: Path) -> None:
    """Many chunks that are each within the limit: their sum is bounded by the file's size."""
    limits = InputLimits(chunk_mb=4, growth=20)
    zeros = record(0x7F, bytes(3_000_000))
    packed = zstandard.compress(zeros)
    one = mcap_of("zstd", packed, said_bytes=len(zeros))
    start, end = one[: len(MAGIC) + 17], one[-13:]
    (tmp_path / "a.mcap").write_bytes(start + one[len(start) : -13] * 500 + end)
    problems = Problems()
    begin_s = perf_counter()
    list(Recording(tmp_path / "a.mcap", limits).messages(problems))
    assert problems.count("chunk damaged") >= 470
    assert "20 times its size" in problems.as_dict()["chunk damaged"]["first"]
    assert perf_counter() - begin_s < 20


def test_a_chunk_in_a_chunk_is_not_opened(tmp_path: Path) -> None:
    inner = ros1_of("bz2", bz2.compress(bytes(1000)))[13:]
    for _ in range(5):
        inner = ros1_of("bz2", bz2.compress(inner))[13:]
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V2.0\n" + inner)
    assert list(Recording(tmp_path / "a.bag", SMALL).messages(Problems())) == []


def test_attachments_and_long_records_are_stepped_over(tmp_path: Path) -> None:
    data = write_mcap(tmp_path / "a.mcap", Scene(frames=3).messages()).read_bytes()
    start = len(MAGIC)
    with (tmp_path / "b.mcap").open("wb") as file:
        file.write(data[:start])
        for opcode in (Opcode.ATTACHMENT, Opcode.METADATA, Opcode.MESSAGE, Opcode.SCHEMA):
            file.write(struct.pack("<BQ", opcode, 900_000_000))
            file.seek(900_000_000, 1)
        file.write(data[start:])
    done = run_child(READ, tmp_path / "b.mcap", limit_gb=1.5)
    assert done.grown_mb < 100
    assert done.lines[0].startswith("12 {")
    assert "record of more than 16000000 bytes" in done.lines[0]


def database(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


TOPICS = (
    "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT)",
    "INSERT INTO topics VALUES (1, '/a', 'sensor_msgs/msg/Image')",
)
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT i AS id, 1 AS topic_id, 1 AS timestamp, zeroblob(1000000) AS data FROM n"
)
MALICIOUS = {
    "endless view": (*TOPICS, f"CREATE VIEW messages AS {ENDLESS}"),
    "endless topics": (
        "CREATE VIEW topics AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS id, 't' || i AS name, 'x' AS type FROM n",
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data)",
    ),
    "computed column": (
        *TOPICS,
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, "
        "data BLOB GENERATED ALWAYS AS (zeroblob(900000000)) VIRTUAL)",
        "INSERT INTO messages(id, topic_id, timestamp) VALUES (1, 1, 1)",
    ),
    "virtual table": (*TOPICS, "CREATE VIRTUAL TABLE messages USING fts5(data)"),
    "own rowid": (*TOPICS, "CREATE TABLE messages(rowid, topic_id, timestamp, data)"),
}


@pytest.mark.parametrize("kind", MALICIOUS)
def test_only_plain_tables_of_a_database_are_read(kind: str, tmp_path: Path) -> None:
    path = database(tmp_path / "a.db3", *MALICIOUS[kind])
    problems, begin_s = Problems(), perf_counter()
    assert list(Recording(path, SMALL).messages(problems)) == []
    assert "not a plain table" in problems.as_dict()["file damaged"]["first"]
    assert perf_counter() - begin_s < 10


def test_a_tree_in_a_circle_ends(tmp_path: Path) -> None:
    """An interior page all of whose children are the same leaf: SQLite would read it for ever."""
    path = tmp_path / "a.db3"
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) "
    database(
        path,
        *TOPICS,
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data)",
        f"{rows} INSERT INTO messages SELECT i, 1, 1, zeroblob(500) FROM n",  # noqa: S608 - our own words
    )
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages'"
        root = connection.execute(query).fetchone()[0]
    data = bytearray(path.read_bytes())
    page = (root - 1) * 4096
    assert data[page] == 5  # an interior page of a table
    (count,) = struct.unpack_from(">H", data, page + 3)
    cells = struct.unpack_from(f">{count}H", data, page + 12)
    for cell in cells:
        data[page + cell : page + cell + 4] = data[page + cells[0] : page + cells[0] + 4]
    path.write_bytes(data)
    problems = Problems()
    messages = list(Recording(path, SMALL).messages(problems))
    assert 0 < len(messages) < 20
    assert "the tree has a cycle" in problems.as_dict()["file damaged"]["first"]


def test_long_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db3",
        *TOPICS,
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data)",
        "INSERT INTO messages VALUES (1, 1, 1, zeroblob(5000000)), (2, 1, 1, x'01'), "
        "(3, zeroblob(5000000), 1, x'01'), (4, 1, 'soon', x'01'), (5, 1, 1, 'text')",
    )
    problems = Problems()
    messages = list(Recording(path, SMALL).messages(problems))
    assert [message.data for message in messages] == [b"\1"]
    assert problems.count("rows unreadable") == 4
    assert "at most 4000000 bytes (limits.chunk_mb)" in str(problems.as_dict())


def test_a_whole_database_is_read_as_before(tmp_path: Path) -> None:
    write_rosbag2(tmp_path / "bag", Scene(frames=5).messages(), storage=StoragePlugin.SQLITE3)
    problems = Problems()
    assert len(list(Recording(tmp_path / "bag").messages(problems))) == 20
    assert not problems


def test_a_file_named_many_times_is_read_once(tmp_path: Path) -> None:
    write_mcap(tmp_path / "a_0.mcap", Scene(frames=2).messages())
    names = ", ".join(["a_0.mcap"] * 1000)
    text = f"rosbag2_bagfile_information: {{relative_file_paths: [{names}]}}"
    (tmp_path / "metadata.yaml").write_text(text)
    assert len(list(Recording(tmp_path).messages(Problems()))) == 8


def test_images_that_all_claim_one_moment_are_not_all_held(tmp_path: Path) -> None:
    """Half a second by their stamps, 240 MB by their size: what waits is bounded in bytes."""
    code = """
import sys
sys.path.append(arguments[1])
from pathlib import Path
import numpy as np
from replay_scenes import COLOR, DEPTH, START_NS, Message, header_of, raw_image, write_mcap
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.reading.bag import BagSource
pixels, depth = np.zeros((1000, 2000, 3), np.uint8), np.zeros((1000, 2000), np.uint16)
def messages():
    for index in range(30):
        stamp_ns = START_NS + index
        images = {COLOR: raw_image(pixels, "rgb8"), DEPTH: raw_image(depth, "16UC1")}
        for topic, image in images.items():
            values = {"header": header_of(stamp_ns), **image[1]}
            yield Message(topic=topic, type_name=image[0], log_ns=stamp_ns, values=values)
path = write_mcap(Path(arguments[0]), messages())
config = with_values(NodeConfig(), {"limits.window_mb": 20})
before_mb = peak_mb()
source = BagSource(path, config=config)
print(sum(1 for _ in source.raw_frames()))
"""
    done = run_child(code, tmp_path / "a.mcap", Path(__file__).parent)
    assert done.lines == ["30"]
    assert done.grown_mb < 120


def test_descriptions_that_never_end_are_given_up(tmp_path: Path) -> None:
    records = record(Opcode.SCHEMA, b"") * 4000 + record(Opcode.MESSAGE, bytes(30))
    data = mcap_of("zstd", zstandard.compress(records), said_bytes=len(records))
    (tmp_path / "a.mcap").write_bytes(data)
    problems = Problems()
    list(Recording(tmp_path / "a.mcap").messages(problems))
    assert problems.count("message of an unknown topic") == 0
    assert problems.count("chunk damaged") == 1002


def test_names_that_are_too_many_or_too_long_are_left_out() -> None:
    table = TopicTable()
    for number in range(MOST_TOPICS):
        table.learn(number, f"/{number}", "x")
    with pytest.raises(ValueError, match=f"more than {MOST_TOPICS} topics"):
        table.learn(1, "/one_more", "x")
    with pytest.raises(ValueError, match=r"of 2000 and type of 1 characters; expected at most"):
        table.learn(1, "n" * 2000, "x")


def test_millions_of_transforms_are_not_made() -> None:
    message = RawMessage(
        topic="/tf", msgtype="tf2_msgs/msg/TFMessage", log_ns=0, data=bytes(2_000_000)
    )
    problems = Problems()
    assert Decoder(is_ros1=False).decode(message, problems) is None
    assert problems.count("message of more than 1048576 bytes") == 1


def test_unpacking_is_exact_and_says_what_is_wrong() -> None:
    plain = np.random.default_rng(0).integers(0, 16, 1_000_000, np.uint8).tobytes()
    half = InputLimits(chunk_mb=0.5)
    for name, pack in PACKERS.items():
        packed = pack(plain)
        assert Unpacker(len(packed)).unpack(packed, name) == plain
        assert plain.startswith(Unpacker(len(packed)).unpack(packed[: len(packed) // 2], name))
        with pytest.raises(ForeignFileError, match=f"{name}"):
            Unpacker(100).unpack(b"\x01" * 100, name)
        with pytest.raises(ForeignFileError, match=r"more than 500000 \(limits.chunk_mb"):
            Unpacker(10**6, half).unpack(packed, name)
    with pytest.raises(ForeignFileError, match=r"compression 'xz'; expected one of zstd"):
        Unpacker(100).unpack(b"abc", "xz")


@pytest.mark.parametrize("name", PACKERS)
def test_streams_one_after_the_other_are_all_unpacked(name: str) -> None:
    plain = np.random.default_rng(0).integers(0, 16, 3_000_000, np.uint8).tobytes()
    parts = [plain[begin : begin + 500_000] for begin in range(0, len(plain), 500_000)]
    packed = b"".join(PACKERS[name](part) for part in parts)
    assert Unpacker(len(packed)).unpack(packed, name) == plain


@pytest.mark.parametrize("name", ["bz2", "lz4"])
def test_streams_without_end_are_given_up_soon(name: str) -> None:
    packed = PACKERS[name](b"") * 500_000
    begin_s = perf_counter()
    with pytest.raises(ForeignFileError, match=f"{name} is damaged: more than 1000 streams"):
        Unpacker(len(packed)).unpack(packed, name)
    assert perf_counter() - begin_s < 10


@pytest.mark.parametrize("compression", ["none", "bz2"])
def test_a_chunk_of_another_size_than_it_says_is_reported(
    compression: str, tmp_path: Path
) -> None:
    plain = bytes(8) * 10
    packed = bz2.compress(plain) if compression == "bz2" else plain
    (tmp_path / "a.bag").write_bytes(ros1_of(compression, packed))
    problems = Problems()
    list(Recording(tmp_path / "a.bag").messages(problems))
    first = problems.as_dict()["chunk of another size than it says"]["first"]
    assert "80 bytes; the chunk says 0" in first


def test_limits_are_parameters_of_a_replay(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", Scene(frames=3).messages())
    config = with_values(NodeConfig(), {"limits.image_mpx": 0.01})
    source = BagSource(path, config=config)
    raw = next(iter(source.raw_frames()))
    with pytest.raises(ValueError, match=r"320×240 px; at most 0.01 megapixels"):
        raw.read_rgb()
