"""Locates the episodes of a dataset in any of LeRobot's versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.json_files import read_json_lines
from robot_vision.datasets.lerobot.files.parquet import MOST_EPISODES, read_rows
from robot_vision.datasets.lerobot.files.paths import Files, counted
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.tasks import read_tasks, tasks_of

MOST_VIDEO_S = 1e7


@dataclass(frozen=True, kw_only=True)
class Place:
    """Files of an episode. `video` has path and time of the first frame by feature."""

    episode_index: int
    length: int
    first_index: int
    tasks: tuple[str, ...]
    data: Path
    video: dict[str, tuple[Path, float]]


def find_places(root: Path, info: dict[str, Any]) -> list[Place]:
    """All episodes in the order of their numbers; raises `DatasetError` if two have the same."""
    is_v30 = info["codebase_version"] == layout.V30
    places = _places_v30(root, info) if is_v30 else _places_v21(root, info)
    for one, next_one in pairwise(places):
        if one.episode_index == next_one.episode_index:
            raise DatasetError(f"{root}: two episodes have the number {one.episode_index}")
    return places


def read_task_names(root: Path, info: dict[str, Any]) -> dict[int, str]:
    """Instructions by task index; none if the dataset has no such file."""
    is_v30 = info["codebase_version"] == layout.V30
    path = Files(root).path(layout.TASKS if is_v30 else layout.TASKS_V21)
    if not path.exists():
        return {}
    return read_tasks(path) if is_v30 else tasks_of(_entries(path), words="task", where=path)


def video_keys(info: dict[str, Any]) -> list[str]:
    return [name for name, feature in info["features"].items() if feature["dtype"] == "video"]


def _places_v30(root: Path, info: dict[str, Any]) -> list[Place]:
    files, keys = Files(root), video_keys(info)
    of_videos = [f"videos/{key}" for key in keys]
    wanted = ["episode_index", "length", "dataset_from_index", "tasks"]
    wanted += [f"{of}/{name}" for of in ("data", *of_videos) for name in _PLACE]
    wanted += [f"{of}/from_timestamp" for of in of_videos]
    places: list[Place] = []
    for path in sorted(root.glob("meta/episodes/*/*.parquet")):
        files.path(path.relative_to(root))
        rows = read_rows(path, wanted, most=MOST_EPISODES - len(places))
        places += [_place_v30(files, info, row, keys, path) for row in rows]
    return sorted(places, key=_number)


_PLACE = ("chunk_index", "file_index")
_number = attrgetter("episode_index")


def _place_v30(
    files: Files, info: dict[str, Any], row: dict[str, Any], keys: Sequence[str], where: Path
) -> Place:
    def path(template: str, of: str, **names: str) -> Path:
        place = {
            name: counted(row[f"{of}/{name}"], f"{of}/{name}", where=where) for name in _PLACE
        }
        return files.path(_template(info, template), **place, **names)

    return Place(
        episode_index=counted(row["episode_index"], "episode_index", where=where),
        length=counted(row["length"], "length", where=where),
        first_index=counted(row["dataset_from_index"], "dataset_from_index", where=where),
        tasks=_tasks(row, where),
        data=path("data_path", "data"),
        video={
            key: (
                path("video_path", f"videos/{key}", video_key=key),
                _seconds(row, f"videos/{key}/from_timestamp", where),
            )
            for key in keys
        },
    )


def _places_v21(root: Path, info: dict[str, Any]) -> list[Place]:
    files, keys = Files(root), video_keys(info)
    places: list[Place] = []
    where = files.path(layout.EPISODES_V21)
    numbered = [
        (counted(line.get("episode_index"), "episode_index", where=where), line)
        for line in _entries(where)
    ]
    for number, line in sorted(numbered, key=itemgetter(0)):
        names = {
            "episode_index": number,
            "episode_chunk": number // info.get("chunks_size", layout.FILES_PER_CHUNK),
        }
        template = _template(info, "video_path") if keys else ""
        places.append(
            Place(
                episode_index=number,
                length=counted(line.get("length"), "length", where=where),
                first_index=places[-1].first_index + places[-1].length if places else 0,
                tasks=_tasks(line, where),
                data=files.path(_template(info, "data_path"), **names),
                video={key: (files.path(template, video_key=key, **names), 0.0) for key in keys},
            )
        )
    return places


def _entries(path: Path) -> list[dict[str, Any]]:
    lines = read_json_lines(path)
    if len(lines) > MOST_EPISODES:
        raise DatasetError(f"{path} has {len(lines)} lines; at most {MOST_EPISODES} can be read")
    for line in lines:
        if not isinstance(line, dict):
            raise DatasetError(f"{path}: expected an object per line, found {quoted(line)}")
    return lines


def _template(info: dict[str, Any], name: str) -> str:
    template = info.get(name)
    if not template:
        raise DatasetError(f"{layout.INFO}: no {name}")
    return template


def _tasks(row: dict[str, Any], where: Path) -> tuple[str, ...]:
    tasks = row.get("tasks", [])
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise DatasetError(f"{where}: tasks are {quoted(tasks)}, expected a list of texts")
    return tuple(tasks)


def _seconds(row: dict[str, Any], name: str, where: Path) -> float:
    value = row[name]
    if not isinstance(value, float | int) or not 0 <= value <= MOST_VIDEO_S:
        raise DatasetError(
            f"{where}: {name} is {quoted(value)}, expected seconds from 0 to {MOST_VIDEO_S:.0f}"
        )
    return float(value)
