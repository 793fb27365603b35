"""Damaged datasets: every fault is reported with the file and what was expected."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demonstrations_kit import write_episodes
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.demonstrations.check import problems

VIDEO = "videos/observation.images.front/chunk-000/file-001.mp4"
DATA = "data/chunk-000/file-001.parquet"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("damage") / "good"
    write_episodes(root, [6, 9])
    return root


def cut(name: str, share: float = 0.5) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: int(len(content) * share)])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def edit_info(**changes: object) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        path = root / "meta/info.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def edit_table(name: str, change: Callable) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        with pq.ParquetFile(root / name) as file:
            table = file.read()
        pq.write_table(change(table), root / name)

    return damage


def swap_videos(root: Path) -> None:
    shutil.copy(root / VIDEO.replace("001", "000"), root / VIDEO)


@pytest.mark.parametrize(
    ("damage", "reported"),
    [
        (remove("meta/info.json"), "is not a dataset: no meta/info.json"),
        (cut("meta/info.json"), "meta/info.json: expected JSON, but "),
        (
            edit_info(codebase_version="v1.6"),
            "is of version v1.6; readable versions are v3.0, v2.1",
        ),
        (edit_info(total_frames=99), "info.json says total_frames 99, there are 15"),
        (remove("meta/tasks.parquet"), "its rows have the tasks [], meta ['pick the red cube']"),
        (cut(EPISODES), f"{EPISODES}: expected a Parquet file, but "),
        (
            edit_table(EPISODES, lambda t: t.slice(1)),
            "episodes are numbered [1], LeRobot expects 0, 1",
        ),
        (remove(DATA), "file-001.parquet: expected a Parquet file, but "),
        (cut(DATA), "file-001.parquet: expected a Parquet file, but "),
        (edit_table(DATA, lambda t: t.slice(0, 5)), "has 5 rows of episode 1, meta says 9"),
        (edit_table(DATA, lambda t: t.drop(["action"])), "file-001.parquet: no column action"),
        (remove(VIDEO), "has 0 frames, 9 are needed for observation.images.front"),
        (cut(VIDEO), "file-001.mp4"),
        (swap_videos, "has 6 frames, 9 are needed for observation.images.front"),
        (cut("meta/robot_vision.json"), "robot_vision.json: expected JSON"),
    ],
)
def test_a_fault_is_reported(
    good: Path, tmp_path: Path, damage: Callable[[Path], None], reported: str
) -> None:
    root = shutil.copytree(good, tmp_path / "set")
    damage(root)
    found = problems(root)
    assert found
    assert reported in " | ".join(found)


def test_a_stray_file_that_lerobot_would_read_is_reported(good: Path, tmp_path: Path) -> None:
    root = shutil.copytree(good, tmp_path / "set")
    shutil.copy(root / DATA, root / "data/chunk-000/file-007.parquet")
    assert "belongs to no episode, but LeRobot reads all files in data/" in problems(root)[0]


def test_depth_that_is_not_an_image_is_reported_with_its_frame(good: Path, tmp_path: Path) -> None:
    root = shutil.copytree(good, tmp_path / "set")
    key = "observation.images.front_depth"

    def spoil(table):  # type: ignore[no-untyped-def]
        images = table[key].to_pylist()
        images[4] = {"bytes": b"nothing", "path": None}
        column = table.schema.get_field_index(key)
        field = table.schema.field(key)
        return table.set_column(column, field, pa.array(images, field.type))

    edit_table(DATA, spoil)(root)
    assert problems(root) == []
    (found,) = problems(root, every_image=True)
    assert "episode 1, frame 4, observation.images.front_depth: expected a 16-bit PNG" in found


def test_the_command_line(good: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert run(app, ["demonstrations", "check", str(good)]).exit_code == 0
    result = run(app, ["demonstrations", "info", str(good)])
    assert result.exit_code == 0
    assert "pick the red cube" in result.output
    result = run(app, ["demonstrations", "export", str(good), str(tmp_path / "old")])
    assert result.exit_code == 0
    bad = shutil.copytree(good, tmp_path / "bad")
    cut(DATA)(bad)
    result = run(app, ["demonstrations", "check", str(bad)])
    assert result.exit_code == 1
    assert "1 problems" in result.output
