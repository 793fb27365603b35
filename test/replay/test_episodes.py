"""Datasets of episodes are replayed like recordings, with what the demonstrator did beside."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from replay_scenes import FX, HEIGHT, WIDTH, picture
from rlds_kit import Value, actions_of, described, image, png, tensor, write_set, write_shard
from rosbags.highlevel import AnyReader
from typer.testing import CliRunner

from robot_vision.commands import replay
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.episodes.source import PAUSE_S, EpisodeSource
from robot_vision.replay.reading.frames import decode
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.sources import open_source

STEPS, FPS = 12, 10.0
OBSERVATION = {
    "image": image("uint8", HEIGHT, WIDTH, 3),
    "wrist_image": image("uint8", HEIGHT, WIDTH, 3),
    "depth": image("uint16", HEIGHT, WIDTH, 1),
}


def episode(index: int, steps: int = STEPS) -> dict[str, Value]:
    """The squares of the recordings' scene; the other camera sees none."""
    first = np.zeros(steps, np.int64)
    first[0] = 1
    return {
        "steps/is_first": first,
        "steps/observation/image": [png(picture(s)[0]) for s in range(steps)],
        "steps/observation/wrist_image": [png(picture(None)[0])] * steps,
        "steps/observation/depth": [png(picture(s)[1]) for s in range(steps)],
        "steps/action": actions_of(index, steps),
        "steps/language_instruction": [f"move square {index}".encode()] * steps,
        "episode_metadata/fps": np.array([FPS], np.float32),
    }


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two episodes of a dataset in RLDS with two cameras, one of them with depth."""
    root = tmp_path_factory.mktemp("rlds")
    features = described(observation=OBSERVATION, metadata={"fps": tensor("float32")})
    return write_set(root, {"train": [[episode(0), episode(1)]]}, features)


@pytest.fixture
def options(detector: Path) -> tuple[str, ...]:
    model = ("--model", str(detector), "--param", "detector.nms_iou=0.2", "--param", "threads=1")
    return (*model, "--intrinsics", f"{FX},{FX},{WIDTH / 2},{HEIGHT / 2}")


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    replay.register(app)
    result = CliRunner().invoke(app, ["replay", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def opened(path: Path, **options: Any) -> EpisodeSource:
    bag = BagOptions(episodes=EpisodeOptions(**options))
    source = open_source(path, config=ServiceConfig(), options=bag)
    assert isinstance(source, EpisodeSource)
    return source


def test_episodes_follow_each_other_and_tracks_end_with_them(
    dataset: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    out, summary = tmp_path / "out", tmp_path / "all.json"
    code, text = run(dataset, *options, "--camera", "image", "--out", out, "--json", summary)
    assert code == 0, text
    [result] = json.loads(summary.read_text())["bags"]
    figures = result["figures"]
    assert figures["frames"] == 2 * STEPS
    assert figures["tracks_by_class"] == {"red square": 4}
    assert figures["id_switches"] == []
    assert figures["notes"]["the camera changed: tracking restarted"] == 1
    second_s = (STEPS - 1) / FPS + PAUSE_S
    begins_s = [round(row["first_s"], 3) >= second_s for row in figures["tracks"]]
    ends_s = [row["last_s"] >= second_s for row in figures["tracks"]]
    assert begins_s == ends_s == [False, False, True, True]
    z_m = [row["mean_position_in_camera_m"][2] for row in figures["tracks"]]
    assert z_m == pytest.approx([1.0] * 4, abs=0.05)
    assert result["input"]["episodes"] == [
        {
            "episode": index,
            "steps": STEPS,
            "instruction": f"move square {index}",
            "begins_ns": round(index * second_s * 1e9),
        }
        for index in (0, 1)
    ]


def test_actions_and_words_stand_beside_the_results(
    dataset: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    code, text = run(dataset, *options, "--camera", "image", "--episode", 1, "--out", tmp_path)
    assert code == 0, text
    folder = tmp_path / dataset.name
    rows = list(csv.DictReader((folder / "steps.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(STEPS))
    assert {(row["episode"], row["instruction"]) for row in rows} == {("1", "move square 1")}
    written = [[float(row[f"action.{n}"]) for n in range(3)] for row in rows]
    np.testing.assert_array_equal(written, actions_of(1, STEPS))
    tracks = list(csv.DictReader((folder / "tracks.csv").read_text().splitlines()))
    assert {row["stamp_ns"] for row in tracks} <= {row["stamp_ns"] for row in rows}
    with AnyReader([folder / "perception.mcap"]) as reader:
        messages: dict[str, list[Any]] = {}
        for connection, stamp_ns, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            messages.setdefault(connection.topic, []).append((stamp_ns, message))
    actions = messages["/recorded/action"]
    np.testing.assert_array_equal([m.position for _, m in actions], actions_of(1, STEPS))
    assert [stamp_ns for stamp_ns, _ in actions] == [int(row["stamp_ns"]) for row in rows]
    assert [m.data for _, m in messages["/recorded/instruction"]] == ["move square 1"]
    assert len(messages["/perception/objects"]) == STEPS


def test_a_recording_without_episodes_has_no_table_of_steps(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    assert run(recording, *options, "--out", tmp_path)[0] == 0
    assert not list(tmp_path.rglob("steps.*"))


def test_steps_as_parquet(dataset: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    arguments = ("--camera", "image", "--tracks", "parquet", "--out", tmp_path)
    assert run(dataset, *options, *arguments)[0] == 0
    table = parquet.read_table(tmp_path / dataset.name / "steps.parquet").to_pydict()
    assert table["episode"] == [0] * STEPS + [1] * STEPS
    assert table["action.2"][:STEPS] == actions_of(0, STEPS)[:, 2].tolist()


def test_golden_compares_episodes(dataset: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    golden = tmp_path / "golden.json"
    shared = (dataset, *options, "--camera", "image", "--golden", golden)
    assert run(*shared, "--update-golden")[0] == 0
    assert run(*shared)[0] == 0
    code, text = run(*shared, "--episode", 0)
    assert (code, "frames" in text) == (1, True)


def test_a_camera_must_be_chosen_where_there_are_several(dataset: Path) -> None:
    with pytest.raises(
        BagError, match="several cameras: image, wrist_image; choose one with --cam"
    ):
        opened(dataset)
    with pytest.raises(BagError, match=r"no camera 'front'.*it has: image, wrist_image"):
        opened(dataset, camera="front")
    with pytest.raises(BagError, match=r"no episode 2 \(--episode\); the dataset has 0 to 1"):
        opened(dataset, camera="image", episodes=(2,))


def test_options_of_datasets_are_refused_for_other_recordings(recording: Path) -> None:
    with pytest.raises(BagError, match=r"squares\.mcap is not a dataset of episodes; --episode"):
        opened(recording, camera="image")


def test_list_shows_cameras_episodes_words_and_actions(dataset: Path) -> None:
    code, text = run(dataset, "--list")
    assert code == 2
    assert "2 episodes, 24 steps, 10 per second" in text
    assert "camera image: colour and depth camera wrist_image: colour" in text
    assert "episode 1: 12 steps, 3 actions, move square 1" in text
    assert "refused: colour of several cameras: image, wrist_image" in text
    code, text = run(dataset, "--list", "--camera", "wrist_image", "--episode", 1)
    assert (code, "episode 0" in text) == (0, False)
    assert "replayed: camera wrist_image of 1 episodes" in text


def test_a_damaged_episode_is_reported_and_the_others_are_replayed(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_shard(path, [episode(0, 2), episode(1, 2), episode(2, 2)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    source = opened(path, camera="image")
    names = [raw.frame_id for raw in source.raw_frames()]
    assert names == ["episode_0/image"] * 2 + ["episode_2/image"] * 2
    problems = source.health.as_dict()["problems"]
    assert problems["episode not read"]["count"] == 1
    assert "its CRC differs" in problems["episode not read"]["first"]
    assert any("no features.json" in kind for kind in problems)


def test_a_damaged_picture_costs_its_step_only(tmp_path: Path) -> None:
    content = episode(0, 3)
    pictures: Any = content["steps/observation/image"]
    pictures[1] = pictures[1][:100]
    path = tmp_path / "a.tfrecord"
    write_shard(path, [content])
    source = opened(path, camera="image", fps=10.0)
    raw_frames = list(source.raw_frames())
    assert [raw.stamp_ns for raw in raw_frames] == [0, 100_000_000, 200_000_000]
    frames = [decode(raw, source.health.problems) for raw in raw_frames]
    assert [frame is None for frame in frames] == [False, True, False]
    assert source.health.problems.count("colour image not decoded") == 1


def test_a_replay_in_real_time_takes_its_time(
    dataset: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    summary = tmp_path / "all.json"
    arguments = ("--camera", "image", "--rate", "8", "--json", summary)
    code, text = run(dataset, *options, *arguments)
    assert code == 0, text
    [result] = json.loads(summary.read_text())["bags"]
    run_counts = result["run"]
    assert run_counts["read"] == 2 * STEPS
    assert run_counts["processed"] + sum(run_counts["dropped"].values()) == 2 * STEPS
    assert "stamps jump" not in result["input"]["problems"]
