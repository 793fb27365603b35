"""The files are what LeRobot's definition says, field by field.

Taken from lerobot's `datasets/utils.py`, `dataset_metadata.py`, `feature_utils.py` (v3.0) and
`common/datasets/utils.py` of its last release with v2.1. With LeRobot itself installed,
`tools/check_with_lerobot.py` compares every frame.
"""

import json
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demonstrations_kit import write_episodes

from robot_vision.demonstrations.export import export_v21

FEATURES = {
    "observation.state": ("float32", [12]),
    "action": ("float32", [7]),
    "target_pose": ("float64", [9]),
    "stamp_ns": ("int64", [1]),
    "stamp_ns.robot": ("int64", [1]),
    "observation.images.front": ("video", [64, 96, 3]),
    "stamp_ns.front": ("int64", [1]),
    "base_from_camera.front": ("float64", [16]),
    "observation.images.front_depth": ("image", [32, 48, 1]),
    "stamp_ns.front_depth": ("int64", [1]),
    "timestamp": ("float32", [1]),
    "frame_index": ("int64", [1]),
    "episode_index": ("int64", [1]),
    "index": ("int64", [1]),
    "task_index": ("int64", [1]),
}
STATS = {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}


@pytest.fixture(scope="module")
def v30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("format") / "set"
    write_episodes(root, [12, 8])
    write_episodes(root, [5], words="push it")
    return root


@pytest.fixture(scope="module")
def v21(v30: Path) -> Path:
    export_v21(v30, v30.parent / "old")
    return v30.parent / "old"


def test_info_v30(v30: Path) -> None:
    info = json.loads((v30 / "meta/info.json").read_text())
    features = info.pop("features")
    assert info == {
        "codebase_version": "v3.0",
        "robot_type": "test arm",
        "total_episodes": 3,
        "total_frames": 25,
        "total_tasks": 2,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": 20,
        "splits": {"train": "0:3"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    }
    assert {name: (f["dtype"], f["shape"]) for name, f in features.items()} == FEATURES
    assert features["action"]["names"] == ["x", "y", "z", "rx", "ry", "rz", "gripper"]
    assert features["observation.images.front"]["names"] == ["height", "width", "channels"]
    assert features["observation.images.front_depth"]["info"] == {
        "is_depth_map": True,
        "depth_unit": "mm",
    }
    assert not [name for name in features if "/" in name]


def test_rows_v30(v30: Path) -> None:
    for number, (length, first, task) in enumerate([(12, 0, 0), (8, 12, 0), (5, 20, 1)]):
        with pq.ParquetFile(v30 / f"data/chunk-000/file-{number:03d}.parquet") as file:
            table = file.read()
        kinds = {field.name: field.type for field in table.schema}
        assert kinds["action"] == pa.list_(pa.float32(), 7)
        assert kinds["timestamp"] == pa.float32()
        assert kinds["task_index"] == pa.int64()
        image = kinds["observation.images.front_depth"]
        assert image == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        assert set(kinds) == {name for name, (kind, _) in FEATURES.items() if kind != "video"}
        assert table["index"].to_pylist() == list(range(first, first + length))
        assert table["frame_index"].to_pylist() == list(range(length))
        expected = (np.arange(length) / 20).astype(np.float32)
        np.testing.assert_array_equal(table["timestamp"].to_numpy(), expected)
        assert set(table["task_index"].to_pylist()) == {task}
        assert set(table["episode_index"].to_pylist()) == {number}


def test_episodes_tasks_and_stats_v30(v30: Path) -> None:
    with pq.ParquetFile(v30 / "meta/episodes/chunk-000/file-000.parquet") as file:
        rows = file.read().to_pylist()
    key = "videos/observation.images.front"
    for number, row in enumerate(rows):
        assert row["episode_index"] == row["data/file_index"] == row[f"{key}/file_index"] == number
        assert row[f"{key}/from_timestamp"] == 0.0
        assert row[f"{key}/to_timestamp"] == pytest.approx(row["length"] / 20)
        assert row["dataset_to_index"] - row["dataset_from_index"] == row["length"]
    assert [row["tasks"] for row in rows] == [["pick the red cube"]] * 2 + [["push it"]]
    stats = json.loads((v30 / "meta/stats.json").read_text())
    assert set(stats) == set(FEATURES)
    for name, values in stats.items():
        assert set(values) == STATS
        assert {c for c in rows[0] if c.startswith(f"stats/{name}/")} == {
            f"stats/{name}/{stat}" for stat in STATS
        }
        channels = {"observation.images.front": 3, "observation.images.front_depth": 1}
        shape = (channels[name], 1, 1) if name in channels else tuple(FEATURES[name][1])
        assert np.shape(values["mean"]) == shape
    assert 0.2 < stats["observation.images.front"]["mean"][0][0][0] < 0.6
    assert stats["action"]["count"] == [25]
    with pq.ParquetFile(v30 / "meta/tasks.parquet") as file:
        tasks = file.read()
    assert tasks.to_pydict() == {"task_index": [0, 1], "task": ["pick the red cube", "push it"]}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_joined_statistics_are_those_of_all_rows(v30: Path) -> None:
    actions = []
    for path in sorted((v30 / "data").glob("*/*.parquet")):
        with pq.ParquetFile(path) as file:
            actions += file.read()["action"].to_pylist()
    stats = json.loads((v30 / "meta/stats.json").read_text())["action"]
    for name in ("min", "max", "mean", "std"):
        expected = getattr(np, name)(np.array(actions, np.float64), axis=0)
        np.testing.assert_allclose(stats[name], expected, atol=1e-9)


def test_videos_have_a_frame_per_row_at_its_timestamp(v30: Path) -> None:
    for number, length in enumerate([12, 8, 5]):
        name = f"videos/observation.images.front/chunk-000/file-{number:03d}.mp4"
        with av.open(str(v30 / name)) as video:
            stream = video.streams.video[0]
            assert stream.codec.canonical_name == "vp9"
            assert stream.pix_fmt == "yuv420p"
            assert stream.base_rate == 20
            times = [float(frame.time) for frame in video.decode(stream)]
        np.testing.assert_allclose(times, np.arange(length) / 20, atol=1e-4)


def test_v21(v21: Path) -> None:
    info = json.loads((v21 / "meta/info.json").read_text())
    assert info["codebase_version"] == "v2.1"
    assert (info["total_videos"], info["total_chunks"]) == (3, 1)
    for number in range(3):
        place = {"episode_chunk": 0, "episode_index": number}
        assert (v21 / info["data_path"].format(**place)).is_file()
        video = info["video_path"].format(video_key="observation.images.front", **place)
        assert (v21 / video).is_file()

    def lines(name: str) -> list:
        return [json.loads(line) for line in (v21 / "meta" / name).read_text().splitlines()]

    assert lines("tasks.jsonl") == [
        {"task_index": 0, "task": "pick the red cube"},
        {"task_index": 1, "task": "push it"},
    ]
    assert lines("episodes.jsonl")[2] == {"episode_index": 2, "tasks": ["push it"], "length": 5}
    stats = lines("episodes_stats.jsonl")[2]["stats"]
    assert np.shape(stats["observation.images.front"]["mean"]) == (3, 1, 1)
    # Its reader takes every statistic of images for one of three channels.
    assert "observation.images.front_depth" not in stats
    with pq.ParquetFile(v21 / "data/chunk-000/episode_000002.parquet") as file:
        described = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert described["observation.images.front_depth"] == {"_type": "Image"}
    assert described["action"]["length"] == 7
