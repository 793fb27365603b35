"""LeRobot datasets of others, in all the ways that their files differ: right, or refused well."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lerobot_kit import (
    FPS,
    HEIGHT_PX,
    KEY,
    WIDTH_PX,
    Layout,
    color_of,
    picture_of,
    write_lerobot,
    write_video,
)
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import RobotVisionError
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.export import export_v21

VERSIONS = ("v2.0", "v2.1", "v3.0")
NAMES = (None, ["x", "y"], {"motors": ["x", "y"]}, [["x", "y"]], {"a": {"b": ["x"]}, "c": "y"})


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    numbers = draw(st.permutations(range(draw(st.integers(1, 4)))))
    tasks = draw(st.permutations(range(draw(st.integers(1, 3)))))
    return Layout(
        version=draw(st.sampled_from(VERSIONS)),
        dtype=draw(st.sampled_from(["video", "image"])),
        episodes={number: draw(st.integers(1, 5)) for number in numbers},
        tasks={index: f"task {index}" for index in tasks},
        channels_first=draw(st.booleans()),
        names=draw(st.sampled_from(NAMES)),
        encoding=draw(st.sampled_from([".png", ".jpg"])),
        shuffled=draw(st.booleans()),
    )


def _is_shown(rgb: np.ndarray, number: int, frame: int) -> bool:
    """Codecs are not exact; colours of neighbours differ by 20 at least."""
    return bool(np.abs(rgb.mean(axis=(0, 1)) - color_of(number, frame)).max() < 8)


def _must_be_right(root: Path, layout: Layout) -> None:
    episodes = open_dataset(root)
    assert episodes.lengths == tuple(layout.episodes[n] for n in layout.numbers)
    assert [camera.name for camera in episodes.cameras] == ["top"]
    for place, number in enumerate(layout.numbers):
        assert episodes.instruction(place) == layout.tasks[layout.task_of(number)]
        actions = episodes.actions(place)
        assert actions is not None
        assert actions.names == (() if layout.names is None else ("x", "y"))
        length = layout.episodes[number]
        assert actions.values.tolist() == [[number, frame] for frame in range(length)]
        for frame in reversed(range(length)):
            assert _is_shown(episodes.frame(place, frame, "top").rgb, number, frame)
    episodes.close()


@settings(max_examples=30, deadline=None)
@given(layout=layouts())
def test_every_layout_is_read_right_and_checked_without_alarm(layout: Layout) -> None:
    with TemporaryDirectory() as folder:
        root = write_lerobot(Path(folder) / "set", layout)
        assert problems(root, every_image=True) == []
        _must_be_right(root, layout)


@pytest.mark.parametrize("version", VERSIONS)
def test_gaps_in_the_numbers_are_read_and_reported(tmp_path: Path, version: str) -> None:
    layout = Layout(version=version, episodes={4: 2, 1: 3}, tasks={7: "push", 2: "pull"})
    root = write_lerobot(tmp_path / "set", layout)
    _must_be_right(root, layout)
    assert problems(root) == ["episodes are numbered [1, 4], LeRobot expects 0, 1, 2, …"]


FEATURES: dict[str, Any] = {
    "note": {"dtype": "string", "shape": [1]},
    "next.done": {"dtype": "bool", "shape": [1]},
    "observation.tactile": {"dtype": "float32", "shape": [2, 3], "names": None},
    "observation.volume": {"dtype": "int16", "shape": [1, 2, 2], "names": {"axes": ["a", "b"]}},
    "language_events": {"dtype": "language", "shape": [1]},
    "observation.points": {"dtype": "float32", "shape": [0], "info": {"units": {"xyz": "m"}}},
}


def _columns(count: int) -> dict[str, Any]:
    return {
        "note": pa.array([f"row {row}" for row in range(count)]),
        "next.done": pa.array([row == count - 1 for row in range(count)]),
        "observation.tactile": pa.array(
            (np.arange(6).reshape(2, 3) + row).tolist() for row in range(count)
        ).cast(pa.list_(pa.list_(pa.float32()))),
        "observation.volume": pa.array(
            [[[[row, 1], [2, 3]]] for row in range(count)],
            pa.list_(pa.list_(pa.list_(pa.int16(), 2), 2), 1),
        ),
        "language_events": pa.array([[{"role": "user", "content": "go"}]] * count),
        "observation.points": pa.array([[0.5] * row for row in range(count)]),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_features_of_any_kind_are_read(tmp_path: Path, version: str) -> None:
    layout = Layout(version=version, features=FEATURES, columns=_columns(7))
    root = write_lerobot(tmp_path / "set", layout)
    assert problems(root) == []
    with Dataset(root) as dataset:
        columns = dataset.columns(1)
        assert columns["note"].tolist() == ["row 3", "row 4", "row 5", "row 6"]
        assert columns["next.done"].tolist() == [False, False, False, True]
        np.testing.assert_array_equal(
            columns["observation.tactile"],
            np.arange(6).reshape(2, 3) + np.arange(3, 7)[:, None, None],
        )
        assert columns["observation.volume"].shape == (4, 1, 2, 2)
        assert columns["observation.volume"][:, 0, 0, 0].tolist() == [3, 4, 5, 6]
        assert "language_events" not in columns
        assert "observation.points" not in columns  # lists of different lengths
        assert dataset.units == {}
    for command in (["info"], ["check", "--every-image"]):
        result = CliRunner().invoke(app, ["demonstrations", *command, str(root)])
        assert result.exit_code == 0, result.output


def test_vectors_that_lack_rows_are_refused(tmp_path: Path) -> None:
    """Flattened, they would take the numbers of the next row."""
    gone = pa.array([[0.0, 1.0], None, *[[0.0, 1.0]] * 5], pa.list_(pa.float32()))
    root = write_lerobot(tmp_path / "set", Layout(columns={"action": gone}))
    assert "'action' is missing in 1 places" in problems(root)[0]


def test_a_vector_of_another_length_is_not_a_vector(tmp_path: Path) -> None:
    """One and three numbers are two rows of two, if nobody counts."""
    odd = pa.array([[0.0], [1.0, 2.0, 3.0], *[[0.0, 1.0]] * 5], pa.list_(pa.float32()))
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1", columns={"action": odd}))
    assert any(
        "action is of no consistent shape per row, info.json says [2]" in p for p in problems(root)
    )
    with pytest.raises(DatasetError, match="lists of different lengths"):
        open_dataset(root).actions(0)


def test_a_vector_of_other_length_than_declared_is_reported(tmp_path: Path) -> None:
    wide = pa.array([[0.0, 1.0, 2.0]] * 7, pa.list_(pa.float32()))
    root = write_lerobot(tmp_path / "set", Layout(columns={"action": wide}))
    assert problems(root) == [
        f"episode {number}: action is of shape [3] per row, info.json says [2]"
        for number in (0, 1)
    ]


def test_numbers_a_row_may_be_lists_of_one(tmp_path: Path) -> None:
    index = pa.array([[0]] * 3 + [[1]] * 4, pa.list_(pa.int64()))
    layout = Layout(columns={"episode_index": index})
    root = write_lerobot(tmp_path / "set", replace(layout, dtype="image"))
    assert problems(root) == []


def test_a_task_that_is_not_named_is_reported(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1"))
    (root / "meta/tasks.jsonl").write_text('{"task_index": 1, "task": "place"}\n')
    assert any("task_index [0], which meta does not name" in problem for problem in problems(root))


def test_one_index_has_one_task(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1"))
    (root / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "a"}\n' * 2)
    Dataset(root).close()
    with (root / "meta/tasks.jsonl").open("a") as file:
        file.write('{"task_index": 0, "task": "b"}\n')
    with pytest.raises(DatasetError, match="task_index 0 is both 'a' and 'b'"):
        Dataset(root)


def test_an_episode_without_words_has_those_of_its_rows(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1"))
    lines = [{"episode_index": 0, "length": 3}, {"episode_index": 1, "length": 4, "tasks": []}]
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [open_dataset(root).instruction(number) for number in (0, 1)] == ["pick", "place"]
    assert problems(root) == []


def _contradictions(root: Path) -> dict[str, str]:
    episodes = open_dataset(root)
    found = dict(episodes.contradictions(0))
    episodes.close()
    return found


def test_rows_that_contradict_the_set_are_reported(tmp_path: Path) -> None:
    rows = pa.array([0, 0, 1, 1, 1, 1, 1])
    split = write_lerobot(tmp_path / "a", Layout(dtype="image", columns={"task_index": rows}))
    assert "different tasks ('pick; place')" in _contradictions(split)["tasks"]
    other = write_lerobot(
        tmp_path / "b", Layout(dtype="image", columns={"task_index": pa.array([1] * 7)})
    )
    assert _contradictions(other)["tasks"] == "its rows have the task 'place', meta 'pick'"
    slow = pa.array(np.arange(7, dtype=np.float32))
    stamped = write_lerobot(tmp_path / "c", Layout(dtype="image", columns={"timestamp": slow}))
    assert _contradictions(stamped) == {
        "timestamps": "its rows are 1 s apart, info.json says 10 fps"
    }
    mixed = pa.array([1, 0, 2, 0, 1, 2, 3])
    shuffled = write_lerobot(tmp_path / "d", Layout(dtype="image", columns={"frame_index": mixed}))
    assert "order of frame_index" in _contradictions(shuffled)["rows"]
    # Seconds since 1970 in 32 bits are minutes apart, which says nothing about the rate.
    epoch = pa.array(np.float32(1.7e9) + slow.to_numpy())
    late = write_lerobot(tmp_path / "e", Layout(dtype="image", columns={"timestamp": epoch}))
    assert _contradictions(late) == {}


@pytest.mark.parametrize(
    ("stamps", "fault"),
    [
        ([0, 0.1, 0.2, 3.2, 3.3], "its rows 2 and 3 are 3 s apart, info.json says 10 fps"),
        (
            [0, 0.1, 0.3, 0.4, 0.5, 0.7],
            "its rows 1 and 2 are 0.2 s apart, .*; and so on 1 times more",
        ),
        ([0, 0.1, 0.2, 0.0, 0.1], "its rows 2 and 3 are -0.2 s apart"),
        ([3, 3.1, 3.2, 3.3, 3.4], "its rows begin at 3 s; pictures are read from the start"),
        ([0.03, 0.17, 0.2, 0.3, 0.4], ""),
        ([1.7e9, 1.7e9 + 0.1, 1.7e9 + 0.2, 1.7e9 + 0.3, 1.7e9 + 0.4], ""),
    ],
)
def test_rows_that_are_lost_or_begin_elsewhere_are_reported(
    tmp_path: Path, stamps: list[float], fault: str
) -> None:
    columns = {"timestamp": pa.array(stamps, pa.float64())}
    layout = Layout(episodes={0: len(stamps)}, columns=columns)
    found = _contradictions(write_lerobot(tmp_path / "set", layout)).get("timestamps", "")
    assert re.match(fault, found)
    assert bool(fault) == bool(found)


def test_pictures_in_rows_need_no_time(tmp_path: Path) -> None:
    late = pa.array(np.arange(7) / 10 + 5)
    layout = Layout(dtype="image", columns={"timestamp": late})
    assert _contradictions(write_lerobot(tmp_path / "set", layout)) == {}


def test_a_video_with_more_frames_than_rows_shows_the_one_of_the_row(tmp_path: Path) -> None:
    layout = Layout(version="v2.1", episodes={0: 8}, tasks={0: "pick"})
    root = write_lerobot(tmp_path / "set", layout)
    between = np.zeros_like(picture_of(0, 0))
    pictures = [picture_of(0, k // 4) if k % 4 == 0 else between for k in range(29)]
    path = root / f"videos/chunk-000/{KEY}/episode_000000.mp4"
    write_video(path, pictures, rate=4 * FPS)
    episodes = open_dataset(root)
    for frame in (0, 1, 2, 7, 3, 4, 6):
        assert _is_shown(episodes.frame(0, frame, "top").rgb, 0, frame)


def test_a_video_of_another_rate_is_named(tmp_path: Path) -> None:
    layout = Layout(version="v2.1", episodes={0: 8}, tasks={0: "pick"})
    root = write_lerobot(tmp_path / "set", layout)
    path = root / f"videos/chunk-000/{KEY}/episode_000000.mp4"
    write_video(path, [picture_of(0, frame) for frame in range(8)], rate=2 * FPS)
    episodes = open_dataset(root)
    with pytest.raises(
        DatasetError,
        match=r"has no frame at 0\.700 s: it has 20 frames per second and ends at "
        r"0\.400 s; info\.json says 10 fps",
    ):
        episodes.frame(0, 7, "top")


def test_a_state_of_integers_is_a_state(tmp_path: Path) -> None:
    features = {"observation.state": {"dtype": "uint8", "shape": [2]}}
    columns = {"observation.state": pa.array([[7, 200]] * 7, pa.list_(pa.uint8()))}
    layout = Layout(dtype="image", features=features, columns=columns)
    state = open_dataset(write_lerobot(tmp_path / "set", layout)).state(0)
    assert state is not None
    assert state.values[0].tolist() == [7, 200]


def test_two_episodes_of_one_number_are_refused(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1"))
    path = root / "meta/episodes.jsonl"
    path.write_text(path.read_text() * 2)
    assert problems(root) == [f"{root}: two episodes have the number 0"]


def test_an_hour_in_32_bits_is_not_a_fault(tmp_path: Path) -> None:
    layout = Layout(version="v2.1", dtype="image", episodes={0: 60_000}, tasks={0: "wait"})
    layout = replace(
        layout,
        dtype="none",
        features={KEY: {"dtype": "float32", "shape": [1]}},
        columns={KEY: pa.array(np.zeros(60_000, np.float32))},
    )
    root = write_lerobot(tmp_path / "set", layout)
    assert problems(root) == []


def test_grey_and_transparent_pictures_are_colour(tmp_path: Path) -> None:
    grey = np.full((HEIGHT_PX, WIDTH_PX), 77, np.uint8)
    clear = np.full((HEIGHT_PX, WIDTH_PX, 4), (30, 20, 10, 0), np.uint8)
    deep = np.full((HEIGHT_PX, WIDTH_PX, 3), (30 << 8, 20 << 8, 10 << 8), np.uint16)
    pictures = [cv2.imencode(".png", p)[1].tobytes() for p in (grey, clear, deep)]
    layout = Layout(
        dtype="image", episodes={0: 3}, tasks={0: "look"}, columns={KEY: _stored(pictures)}
    )
    episodes = open_dataset(write_lerobot(tmp_path / "set", layout))
    shown = [episodes.frame(0, frame, "top").rgb[5, 5].tolist() for frame in range(3)]
    assert shown == [[77, 77, 77], [10, 20, 30], [10, 20, 30]]


def test_a_picture_that_is_not_in_the_file_is_named(tmp_path: Path) -> None:
    """Some converters write only where it lay on their disk."""
    stored = pa.array([{"bytes": None, "path": "/home/me/0.png"}] * 7, _stored([b""]).type)
    root = write_lerobot(tmp_path / "set", Layout(dtype="image", columns={KEY: stored}))
    assert "found no bytes in the Parquet file" in problems(root)[0]


def test_depth_pictures_are_millimetres_beside_their_colour(tmp_path: Path) -> None:
    depth_mm = np.full((HEIGHT_PX, WIDTH_PX), 1234, np.uint16)
    depth_mm[0, 0] = 0
    name = "observation.images.top_depth"
    layout = Layout(
        dtype="image",
        features={name: {"dtype": "image", "shape": [1, HEIGHT_PX, WIDTH_PX], "names": None}},
        columns={name: _stored([cv2.imencode(".png", depth_mm)[1].tobytes()] * 7)},
    )
    root = write_lerobot(tmp_path / "set", layout)
    assert problems(root) == []
    episodes = open_dataset(root)
    assert [(c.name, c.has_depth) for c in episodes.cameras] == [("top", True)]
    assert episodes.remarks == ("depth of top: its unit is not given; mm is assumed",)
    depth_m = episodes.frame(1, 2, "top").depth_m
    assert depth_m is not None
    assert np.isnan(depth_m[0, 0])
    np.testing.assert_allclose(depth_m[1:], 1.234, atol=1e-6)


@pytest.mark.parametrize("use_log", [True, False])
def test_depth_videos_are_codes_of_metres(tmp_path: Path, use_log: bool) -> None:
    """Against LeRobot's formula, written out: `quantize_depth` of its depth_utils.py."""
    depth_m = np.linspace(0.2, 9.0, HEIGHT_PX * WIDTH_PX).reshape(HEIGHT_PX, WIDTH_PX)
    share = (depth_m - 0.01) / (10.0 - 0.01)
    if use_log:
        share = np.log((depth_m + 3.5) / 3.51) / np.log(13.5 / 3.51)
    codes = np.rint(share * 4095).astype(np.uint16)
    codes[0, 0], codes[0, 1] = 0, 4095
    name = "observation.images.top_depth"
    info = {"is_depth_map": True, "video.use_log": use_log}
    about = {"dtype": "video", "shape": [HEIGHT_PX, WIDTH_PX, 1], "info": info}
    layout = Layout(version="v2.1", features={name: about})
    root = write_lerobot(tmp_path / "set", layout)
    for number, length in layout.episodes.items():
        path = root / f"videos/chunk-000/{name}/episode_{number:06d}.mp4"
        write_video(path, [codes] * length, codec="ffv1", pixels="gray12le")
    assert problems(root) == []
    found_m = open_dataset(root).frame(1, 3, "top").depth_m
    assert found_m is not None
    assert np.isnan(found_m[0, :2]).all()
    np.testing.assert_allclose(found_m[1:], depth_m[1:], atol=0.003)


def test_a_depth_video_of_colours_is_refused(tmp_path: Path) -> None:
    info = {"video.is_depth_map": True}
    about = {"dtype": "video", "shape": [HEIGHT_PX, WIDTH_PX, 3], "info": info}
    root = write_lerobot(tmp_path / "set", Layout(features={KEY: about}))
    assert (
        "should be depth, but its pixels are yuv420p: expected 12-bit codes" in problems(root)[0]
    )


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_videos_of_other_codecs_are_read_at_any_frame(tmp_path: Path, codec: str) -> None:
    """H.264 stores frames out of order, AV1 is LeRobot's default; both have few keyframes."""
    layout = Layout(version="v2.1", episodes={0: 8}, tasks={0: "pick"})
    root = write_lerobot(tmp_path / "set", layout)
    pictures = [np.tile(picture_of(0, frame), (3, 2, 1)) for frame in range(8)]
    write_video(root / f"videos/chunk-000/{KEY}/episode_000000.mp4", pictures, codec=codec)
    episodes = open_dataset(root)
    for frame in (7, 0, 3, 2, 6, 5):
        assert _is_shown(episodes.frame(0, frame, "top").rgb, 0, frame)


@pytest.mark.parametrize("version", VERSIONS)
def test_timestamps_that_begin_elsewhere_are_reported(tmp_path: Path, version: str) -> None:
    stamps = pa.array(np.arange(7, dtype=np.float32) / 10 + 5)
    layout = Layout(version=version, columns={"timestamp": stamps})
    root = write_lerobot(tmp_path / "set", layout)
    _must_be_right(root, layout)
    assert problems(root)[0] == "episode 0: timestamp of frame 0 is 5.0, expected 0.0"


@pytest.mark.parametrize("version", ["v1.6", "v4.0"])
def test_other_versions_are_refused_with_what_to_do(tmp_path: Path, version: str) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version=version))
    with pytest.raises(
        DatasetError, match=r"readable versions are v3.0, v2.1, v2.0: convert it with LeRobot"
    ):
        open_dataset(root)


def test_what_others_made_is_not_exported(tmp_path: Path) -> None:
    root = write_lerobot(tmp_path / "set", Layout(version="v2.1"))
    with pytest.raises(DatasetError, match=r"its version is v2\.1\): convert others with LeRobot"):
        export_v21(root, tmp_path / "out")


REAL = (
    Path(os.environ.get("ROBOT_VISION_DATA", "../shared/data")) / "demonstrations/widowx_lerobot21"
)


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here")
def test_a_real_dataset_is_read() -> None:
    assert problems(REAL, every_image=True) == []
    episodes = open_dataset(REAL)
    assert episodes.lengths == (10,) * 5
    assert episodes.instruction(1) == "flip pot upright which is in sink"
    actions = episodes.actions(0)
    assert actions is not None
    assert actions.names == ("x", "y", "z", "roll", "pitch", "yaw", "gripper")
    assert episodes.frame(4, 9, "image_0").rgb.std() > 10


@settings(max_examples=60, deadline=None)
@given(
    key=st.sampled_from(
        ["fps", "features", "names", "shape", "dtype", "info", "video_path", "chunks_size"]
    ),
    value=st.sampled_from(
        [None, "", 0, -1, [], {}, [[]], "text", 1e300, True, [None], {"a": [1]}]
    ),
)
def test_odd_values_never_end_in_a_traceback(key: str, value: Any) -> None:
    with TemporaryDirectory() as folder:
        root = write_lerobot(Path(folder) / "set", Layout(version="v2.1", dtype="image"))
        info = json.loads((root / "meta/info.json").read_text())
        for target in (info, info["features"]["action"], info["features"][KEY]):
            if key in target or key == "info":
                target[key] = value
        (root / "meta/info.json").write_text(json.dumps(info))
        for command in ("info", "check"):
            result = CliRunner().invoke(app, ["demonstrations", command, str(root)])
            assert result.exception is None or isinstance(
                result.exception, SystemExit | RobotVisionError
            ), result.exception


def _stored(pictures: list[bytes]) -> pa.Array:
    rows = [{"bytes": picture, "path": None} for picture in pictures]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
