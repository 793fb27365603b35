"""Demonstrations of the simulated expert: drawn by seed and number, made by any processes."""

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

if find_spec("mujoco") is None:  # not imported here: `gl` chooses the way to render first
    pytest.skip("mujoco is not installed", allow_module_level=True)

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.simulation.robot.demonstrate import Job, demonstrate, record_expert
from robot_vision.simulation.robot.episode import Noise
from robot_vision.simulation.robot.recipe import (
    DemonstrationRecipe,
    parse_tasks,
    parse_things,
    scene_of,
)
from robot_vision.simulation.robot.work.task import PICKED, PUSHED

ANY_ROOM = DiskLimits(min_free_bytes=0)


def recipe_of(**values: object) -> DemonstrationRecipe:
    asked = {"seed": 4, "split": "train", "tasks": ("lift",), "size_px": (64, 48)}
    asked |= {"wrist_size_px": (32, 24), "noise": Noise().scaled(0)}
    return DemonstrationRecipe(**(asked | values))  # type: ignore[arg-type]


def files_of(folder: Path) -> dict[str, str]:
    """Hash of every file of a dataset."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def make(folder: Path, recipe: DemonstrationRecipe, **options: object) -> Path:
    demonstrate(folder, recipe, limits=ANY_ROOM, **options)  # type: ignore[arg-type]
    return folder


def test_a_set_is_the_same_whatever_the_number_of_processes(tmp_path: Path) -> None:
    progress = list[int]()
    one = make(tmp_path / "one", recipe_of(), episodes=3, on_progress=progress.append)
    two = make(tmp_path / "two", recipe_of(), episodes=3, processes=2)
    assert progress == [0, 1, 2, 3]
    assert files_of(one) == files_of(two)
    assert problems(one) == []


def fails_at_two(job: Job) -> Path:
    folder = record_expert(job)
    if job[2] == 2:
        raise RuntimeError("the power went")
    return folder


def test_a_set_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole", recipe_of(depth=False), episodes=3)
    folder = tmp_path / "cut"
    with pytest.raises(RuntimeError, match="power"):
        make(folder, recipe_of(depth=False), episodes=3, record=fails_at_two)
    with Dataset(folder) as dataset:
        assert len(dataset.episodes) == 2
    make(folder, recipe_of(depth=False), episodes=3)
    assert files_of(folder) == files_of(whole)
    with pytest.raises(DatasetError, match="seed is 4 in the set, 5 now"):
        make(folder, recipe_of(depth=False, seed=5), episodes=4)


def test_an_episode_keeps_several_wordings_of_its_task(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", recipe_of(wordings=4, wrist_size_px=None), episodes=1)
    with Dataset(folder) as dataset:
        record = dataset.episodes[0].record
        assert record is not None
        assert record.success is True
        assert record.instruction == record.wordings[0] == dataset.episodes[0].instruction
        assert len(set(record.wordings)) == 4
        assert [camera.name for camera in dataset.form.cameras] == ["front"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("task", "things", "count", "classes"),
    [
        ("lift", (2, 3), {1}, PICKED),
        ("pick", (2, 3), {2, 3}, PICKED),
        ("push", (2, 2), {2}, PUSHED),
    ],
)
def test_of_counted_things_each_can_be_meant(
    task: str, things: tuple[int, int], count: set[int], classes: tuple[str, ...]
) -> None:
    counts, named = set(), set()
    for number in range(8):
        scene = scene_of(recipe_of(tasks=(task,), things=things), number)
        scene.world.close()
        counts.add(len(scene.world.items))
        named.add(scene.task.target.item)
        assert all(item.class_name in classes for item in scene.world.items)
        names = [(item.class_name, item.color_name) for item in scene.world.items]
        assert len(set(names)) == len(names)
    assert counts == count
    assert len(named) == max(counts)


@pytest.mark.parametrize("text", ["a", "2...3", "..2", "-1"])
def test_a_number_of_things_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"as 2 or 1\.\.3"):
        parse_things(text)


def test_what_cannot_be_had_is_refused() -> None:
    assert parse_things("2") == (2, 2)
    assert parse_things("1..3") == (1, 3)
    assert parse_tasks([]) == ("pick", "put", "push")
    with pytest.raises(ConfigError, match="lift, pick, put, push"):
        parse_tasks(["juggle"])
    with pytest.raises(ConfigError, match="expected 2 to 6"):
        recipe_of(tasks=("pick", "put"), things=(1, 2))


def test_the_command_makes_a_set_and_says_what_came_of_it(tmp_path: Path) -> None:
    words = ["--episodes", "1", "--task", "lift", "--size", "64x48", "--no-wrist", "--no-depth"]
    shutil.rmtree(tmp_path / "set", ignore_errors=True)
    result = CliRunner().invoke(
        app,
        ["demonstrations", "generate", "--out", str(tmp_path / "set"), "--noise", "0", *words],
    )
    assert result.exit_code == 0, result.output
    assert "1 of 1 episodes succeeded" in result.output
