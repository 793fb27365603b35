"""Where the episodes of a dataset are, whichever of LeRobot's versions it is of."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.demonstrations import layout
from robot_vision.demonstrations.files import read_json
from robot_vision.demonstrations.schema import DatasetError
from robot_vision.demonstrations.tables import read_table, read_tasks


@dataclass(frozen=True, kw_only=True)
class Place:
    """Files of an episode. `video` gives path and time of the first frame by feature."""

    episode_index: int
    length: int
    first_index: int
    tasks: tuple[str, ...]
    data: Path
    video: dict[str, tuple[Path, float]]


def read_info(root: Path) -> dict[str, Any]:
    """`meta/info.json`; raises `DatasetError` if it is not one that can be read."""
    if not (root / layout.INFO).exists():
        raise DatasetError(f"{root} is no dataset: no {layout.INFO}")
    info = read_json(root / layout.INFO)
    missing = [name for name in ("codebase_version", "fps", "features") if name not in info]
    if missing:
        raise DatasetError(f"{root / layout.INFO}: no {', '.join(missing)}")
    if info["codebase_version"] not in (layout.V30, layout.V21):
        raise DatasetError(
            f"{root} is of version {info['codebase_version']}; "
            f"readable are {layout.V30}, {layout.V21}"
        )
    return info


def find_places(root: Path, info: dict[str, Any]) -> list[Place]:
    """All episodes in order; raises `DatasetError` if they are not numbered 0, 1, 2, …"""
    is_v30 = info["codebase_version"] == layout.V30
    places = _places_v30(root, info) if is_v30 else _places_v21(root, info)
    numbers = [place.episode_index for place in places]
    if numbers != list(range(len(places))):
        raise DatasetError(f"{root}: episodes are numbered {numbers}, expected 0, 1, 2, …")
    return places


def read_task_names(root: Path, info: dict[str, Any]) -> list[str]:
    """Instructions by task index."""
    if info["codebase_version"] == layout.V30:
        return read_tasks(root / layout.TASKS) if (root / layout.TASKS).exists() else []
    return [line["task"] for line in _lines(root / layout.TASKS_V21)]


def video_keys(info: dict[str, Any]) -> list[str]:
    return [name for name, feature in info["features"].items() if feature["dtype"] == "video"]


def _places_v30(root: Path, info: dict[str, Any]) -> list[Place]:
    rows: list[dict[str, Any]] = []
    for path in sorted(root.glob("meta/episodes/*/*.parquet")):
        rows += read_table(path).to_pylist()
    try:
        return [_place_v30(root, info, row) for row in rows]
    except KeyError as error:
        raise DatasetError(f"{root}/meta/episodes: no column {error}") from error


def _place_v30(root: Path, info: dict[str, Any], row: dict[str, Any]) -> Place:
    def path(template: str, of: str, **names: str) -> Path:
        place = {name: row[f"{of}/{name}"] for name in ("chunk_index", "file_index")}
        return root / template.format(**place, **names)

    return Place(
        episode_index=row["episode_index"],
        length=row["length"],
        first_index=row["dataset_from_index"],
        tasks=tuple(row["tasks"]),
        data=path(info["data_path"], "data"),
        video={
            key: (
                path(info["video_path"], f"videos/{key}", video_key=key),
                row[f"videos/{key}/from_timestamp"],
            )
            for key in video_keys(info)
        },
    )


def _places_v21(root: Path, info: dict[str, Any]) -> list[Place]:
    places: list[Place] = []
    for line in _lines(root / layout.EPISODES_V21):
        number = line["episode_index"]
        names = {
            "episode_index": number,
            "episode_chunk": number // info.get("chunks_size", layout.FILES_PER_CHUNK),
        }
        places.append(
            Place(
                episode_index=number,
                length=line["length"],
                first_index=places[-1].first_index + places[-1].length if places else 0,
                tasks=tuple(line["tasks"]),
                data=root / info["data_path"].format(**names),
                video={
                    key: (root / info["video_path"].format(video_key=key, **names), 0.0)
                    for key in video_keys(info)
                },
            )
        )
    return places


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(f"{path}: expected a line of JSON per entry, but {error}") from error
