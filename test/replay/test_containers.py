"""Recordings as people have them: unfinished, unpacked, renamed, numbered."""

import shutil
import sqlite3
from pathlib import Path

import pytest
import zstandard
from mcap.writer import Writer as McapWriter
from replay_scenes import COLOR, Scene, _as_ros1, raw_image, write_mcap, write_ros1, write_rosbag2
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from test_bags import check_all, frames_of, open_bag

from robot_vision.replay.reading.messages import BagError, typestore
from robot_vision.replay.writing.ros_types import make

SCENE = Scene(frames=20)


def test_rows_in_the_write_ahead_log_count_and_nothing_is_written(tmp_path: Path) -> None:
    source = write_rosbag2(tmp_path / "a", SCENE.messages(), storage=StoragePlugin.SQLITE3)
    work = tmp_path / "work.db3"
    writer = sqlite3.connect(work)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("ATTACH ? AS whole", (str(source / "a.db3"),))
    for table in ("topics", "messages"):
        (sql,) = writer.execute(
            "SELECT sql FROM whole.sqlite_master WHERE name = ?", (table,)
        ).fetchone()
        writer.execute(sql)
        writer.execute(f"INSERT INTO main.{table} SELECT * FROM whole.{table}")  # noqa: S608
    writer.commit()
    folder = tmp_path / "killed"
    folder.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{work}{ending}", f"{folder / 'run.db3'}{ending}")
    writer.close()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    folder.chmod(0o555)
    check_all(folder / "run.db3", SCENE)
    folder.chmod(0o755)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("ending", [".zst", ".zstd"])
def test_packed_files_by_both_endings(ending: str, tmp_path: Path) -> None:
    plain = write_mcap(tmp_path / "plain.mcap", SCENE.messages())
    folder = tmp_path / "packed"
    folder.mkdir()
    packed = folder / f"run.mcap{ending}"
    packed.write_bytes(zstandard.compress(plain.read_bytes()))
    check_all(packed, SCENE)
    assert len(frames_of(open_bag(folder))) == 20


def test_metadata_that_lists_packed_files_which_were_unpacked(tmp_path: Path) -> None:
    folder = write_rosbag2(tmp_path / "bag", SCENE.messages(), compression=CompressionMode.FILE)
    (packed,) = folder.glob("*.zstd")
    packed.with_suffix("").write_bytes(zstandard.decompress(packed.read_bytes(), 1 << 28))
    packed.unlink()
    source = open_bag(folder)
    assert len(frames_of(source)) == 20
    assert list(source.health.problems.as_dict()) == ["file packed otherwise than listed"]


def test_a_bag_that_was_never_closed(tmp_path: Path) -> None:
    data = write_ros1(tmp_path / "run.bag", SCENE.messages()).read_bytes()
    folder = tmp_path / "folder"
    folder.mkdir()
    active = folder / "run.bag.active"
    active.write_bytes(data[: len(data) * 3 // 4])
    for path in (active, folder):
        source = open_bag(path)
        assert 10 <= len(frames_of(source)) < 20
        assert source.health.problems.count("file cut short") == 1


def test_ros1_and_ros2_in_one_folder_are_refused(tmp_path: Path) -> None:
    write_ros1(tmp_path / "run.bag", SCENE.messages())
    write_mcap(tmp_path / "run.mcap", SCENE.messages())
    with pytest.raises(BagError, match=r"ROS 1 and ROS 2 \(run.bag, run.mcap\); name one"):
        open_bag(tmp_path)


def test_split_files_without_metadata_in_natural_order(tmp_path: Path) -> None:
    scene = Scene(frames=33)
    messages = list(scene.messages())
    for number in range(11):
        part = messages[number * 12 : number * 12 + 12]
        write_mcap(tmp_path / f"bag_{number}.mcap", part)
    source = open_bag(tmp_path)
    assert [frame.stamp_ns for frame in frames_of(source)] == scene.stamps_ns()
    assert list(source.health.problems.as_dict()) == ["metadata unreadable"]


@pytest.mark.parametrize("is_ros1", [False, True])
def test_type_names_of_dds_and_messages_of_ros1_in_mcap(is_ros1: bool, tmp_path: Path) -> None:
    stores = {one: typestore(is_ros1=one) for one in (False, True)}
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = McapWriter(file)
        writer.start(profile="", library="test")
        channels: dict[str, int] = {}
        for message in SCENE.messages():
            name = message.type_name
            content = make(name, message.values)
            if is_ros1:
                data = stores[True].serialize_ros1(_as_ros1(content, name), name)
                name, encoding = name.replace("/msg/", "/"), "ros1"
            else:
                data, encoding = stores[False].serialize_cdr(content, name), "cdr"
                name = name.replace("/msg/", "::msg::dds_::") + "_"
            if message.topic not in channels:
                schema = writer.register_schema(name, f"{encoding}msg", b"")
                channels[message.topic] = writer.register_channel(message.topic, encoding, schema)
            stamp_ns = message.log_ns
            writer.add_message(channels[message.topic], stamp_ns, bytes(data), stamp_ns)
        writer.finish()
    check_all(path, SCENE)


def test_an_encoding_that_is_not_read_is_named(tmp_path: Path) -> None:
    scene = Scene(frames=3, depth=False, encode=lambda rgb: raw_image(rgb, "palette_7"))
    path = write_mcap(tmp_path / "a.mcap", scene.messages())
    with pytest.raises(BagError, match=rf"{COLOR} .*palette_7.* is not supported"):
        open_bag(path)
