"""Writes one of our datasets in the older version of LeRobot's format, v2.1."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episode import Episode
from robot_vision.datasets.lerobot.episodes import Place, find_places
from robot_vision.datasets.lerobot.files.parquet import (
    MOST_EPISODES,
    opened,
    read_columns,
    read_rows,
)
from robot_vision.datasets.lerobot.files.paths import Files
from robot_vision.datasets.lerobot.files.video import count_frames
from robot_vision.datasets.lerobot.form import layout
from robot_vision.demonstrations.writing.files import write_json, write_text
from robot_vision.demonstrations.writing.tables import row_schema, stats_of, write_table

_NUMBERS = ("episode_index", "index", "task_index")
_STATS = ("min", "max", "mean", "std", "count")


def export_v21(root: Path, out: Path, *, only_success: bool = False) -> int:
    """Copy the dataset at `root` to the new folder `out` as v2.1; returns its episodes.

    `only_success` leaves out episodes that failed or whose success is unknown.
    Raises `DatasetError` if robot_vision did not make `root`, or `out` exists.
    """
    dataset = Dataset(root)
    if dataset.form is None or dataset.info["codebase_version"] != layout.V30:
        raise DatasetError(
            f"{root} is not a {layout.V30} dataset made by robot_vision (its version is "
            f"{dataset.info['codebase_version']}): convert others with LeRobot's own scripts"
        )
    if out.exists() or out.is_symlink():
        raise DatasetError(f"{out} already exists; give a new folder")
    if dataset.features.keys() != dataset.form.features().keys():
        raise DatasetError(f"{root}: the features of {layout.INFO} are not those of {layout.OURS}")
    places = find_places(root, dataset.info)
    if not all(place.tasks for place in places):
        raise DatasetError(f"{root} has an episode without an instruction")
    if any(place.episode_index != number for number, place in enumerate(places)):
        raise DatasetError(f"{root}: expected episodes 0, 1, 2, …; check says which are missing")
    kept = [
        (dataset.episodes[place.episode_index], place)
        for place in places
        if not only_success or _is_success(dataset.episodes[place.episode_index])
    ]
    if not kept:
        raise DatasetError(f"{root} has no episode to export")
    stats = _stats(root)
    tasks = list(dict.fromkeys(place.tasks[0] for _, place in kept))
    lines: dict[Path, list[dict[str, Any]]] = {
        layout.TASKS_V21: [{"task_index": i, "task": task} for i, task in enumerate(tasks)],
        layout.EPISODES_V21: [],
        layout.EPISODES_STATS_V21: [],
    }
    first_index = 0
    for number, (episode, place) in enumerate(kept):
        numbers = (number, first_index, tasks.index(place.tasks[0]))
        changed = _copy_episode(dataset, episode, place, out, numbers)
        episode_stats = {
            name: _plain(values, of=name)
            for name, values in (stats.get(episode.index, {}) | changed).items()
            # v2.1 treats every feature with images in its name as colour.
            if not name.endswith("_depth")
        }
        lines[layout.EPISODES_V21].append(
            {"episode_index": number, "tasks": list(place.tasks), "length": place.length}
        )
        lines[layout.EPISODES_STATS_V21].append({"episode_index": number, "stats": episode_stats})
        first_index += place.length
    for path, content in lines.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in content)
        write_text(out / path, text)
    write_json(out / layout.OURS, dataset.form.model_dump())
    write_json(out / layout.INFO, _info(dataset, len(kept), first_index, len(tasks)))
    dataset.close()
    return len(kept)


def _copy_episode(
    dataset: Dataset, episode: Episode, place: Place, out: Path, numbers: tuple[int, int, int]
) -> dict[str, dict[str, np.ndarray]]:
    """Copy an episode with its new numbers; returns the statistics that these change."""
    assert dataset.form is not None
    number, first_index, task_index = numbers
    names = {"episode_chunk": number // layout.FILES_PER_CHUNK, "episode_index": number}
    dataset.columns(place.episode_index)  # raises for rows that do not have their declared form
    schema = row_schema(dataset.form.features())
    with opened(place.data) as file:
        table = read_columns(file, place.data, schema.names)
    if table.num_rows != place.length:
        raise DatasetError(f"{place.data} has {table.num_rows} rows, meta says {place.length}")
    rows = np.arange(place.length)
    values = (np.full_like(rows, number), rows + first_index, np.full_like(rows, task_index))
    columns = {name: table[name] for name in schema.names}
    columns |= {name: pa.array(v) for name, v in zip(_NUMBERS, values, strict=True)}
    try:
        renumbered = pa.table([columns[name] for name in schema.names], schema=schema)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DatasetError(
            f"{place.data} does not have the form of its dataset: {error}"
        ) from error
    files = Files(out)
    write_table(renumbered, files.path(layout.DATA_V21, **names))
    for key, (path, _) in place.video.items():
        video = files.path(layout.VIDEO_V21, video_key=key, **names)
        video.parent.mkdir(parents=True, exist_ok=True)
        if not count_frames(path):
            raise DatasetError(f"{path}: expected a video (MP4); nothing was copied from there")
        shutil.copyfile(path, video)
    if episode.record is not None:
        write_json(out / layout.record_path(number), episode.record.model_dump())
    return {
        name: {
            "min": np.array([v.min()]),
            "max": np.array([v.max()]),
            "mean": np.array([v.mean()]),
            "std": np.array([v.std()]),
            "count": np.array([len(v)]),
        }
        for name, v in zip(_NUMBERS, values, strict=True)
    }


def _stats(root: Path) -> dict[int, dict[str, dict[str, np.ndarray]]]:
    stats: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    for path in sorted(root.glob("meta/episodes/*/*.parquet")):
        for row in read_rows(path, most=MOST_EPISODES):
            stats[row["episode_index"]] = stats_of(row)
    return stats


def _plain(stats: dict[str, np.ndarray], *, of: str) -> dict[str, Any]:
    """The statistics known to v2.1."""
    missing = [name for name in _STATS if name not in stats]
    if missing:
        raise DatasetError(f"meta/episodes: no {', '.join(missing)} of {quoted(of)}")
    return {name: stats[name].tolist() for name in _STATS}


def _is_success(episode: Episode) -> bool:
    return bool(episode.record and episode.record.success)


def _info(dataset: Dataset, episodes: int, frames: int, tasks: int) -> dict[str, Any]:
    assert dataset.form is not None
    cameras = len(dataset.form.cameras)
    return {
        "codebase_version": layout.V21,
        "robot_type": dataset.form.robot_type,
        "total_episodes": episodes,
        "total_frames": frames,
        "total_tasks": tasks,
        "total_videos": episodes * cameras,
        "total_chunks": (episodes - 1) // layout.FILES_PER_CHUNK + 1,
        "chunks_size": layout.FILES_PER_CHUNK,
        "fps": dataset.fps,
        "splits": {"train": f"0:{episodes}"},
        "data_path": layout.DATA_V21,
        "video_path": layout.VIDEO_V21 if cameras else None,
        "features": dataset.form.features(),
    }
