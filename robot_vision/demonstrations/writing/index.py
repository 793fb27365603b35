"""A dataset's index of episodes: `meta/episodes`, and everything derived from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.json_files import read_json, read_model
from robot_vision.datasets.lerobot.files.parquet import MOST_EPISODES, read_rows
from robot_vision.datasets.lerobot.files.paths import Files, counted, fill
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.schema import DatasetFormat, EpisodeRecord
from robot_vision.datasets.lerobot.form.tasks import read_tasks
from robot_vision.demonstrations.writing.files import fresh, put, write_json
from robot_vision.demonstrations.writing.stats import Stats, joined
from robot_vision.demonstrations.writing.tables import stats_of, tasks_table, write_table

# A file is rewritten for each episode added to it.
_EPISODES_PER_FILE = 200
# Columns of an episode's row that locate it, and decide where the next one goes.
_COUNTED = (
    "episode_index",
    "dataset_to_index",
    "data/chunk_index",
    "data/file_index",
    "meta/episodes/chunk_index",
    "meta/episodes/file_index",
)


class DatasetIndex:
    """The metadata of a dataset being written; one writer at a time."""

    def __init__(self, root: Path, form: DatasetFormat) -> None:
        self.root = root
        self.form = form
        self._tasks = _known_tasks(root / layout.TASKS)
        self._place = (0, 0)
        self._rows: list[dict[str, Any]] = []
        self._stats: dict[str, Stats] = {}
        self._last: dict[str, Any] | None = None
        self._load()

    @classmethod
    def create(cls, root: Path, form: DatasetFormat) -> "DatasetIndex":
        """A dataset without episodes in an empty or new folder."""
        write_json(root / layout.OURS, form.model_dump())
        index = cls(root, form)
        index._write_derived()
        return index

    @classmethod
    def open(cls, root: Path) -> "DatasetIndex":
        """A dataset of ours; derived files are brought up to date."""
        index = cls(root, read_model(root / layout.OURS, DatasetFormat))
        info = read_json(root / layout.INFO) if (root / layout.INFO).exists() else {}
        version = info.get("codebase_version", layout.V30) if isinstance(info, dict) else None
        if version != layout.V30:
            raise DatasetError(
                f"{root} is of version {quoted(version)}; only {layout.V30} can be appended to"
            )
        if info.get("total_episodes") != index.episodes:
            index._write_derived()
        return index

    @property
    def episodes(self) -> int:
        return self._last["episode_index"] + 1 if self._last else 0

    @property
    def frames(self) -> int:
        return self._last["dataset_to_index"] if self._last else 0

    def must_have(self, form: DatasetFormat) -> None:
        """Raise `DatasetError` that names the differences if the dataset has another form."""
        differences = [
            f"{name} is {getattr(self.form, name)!r} there, {getattr(form, name)!r} here"
            for name in type(self.form).model_fields
            if getattr(self.form, name) != getattr(form, name)
        ]
        if differences:
            raise DatasetError(f"{self.root} has another form: {'; '.join(differences)}")

    def last_record(self) -> EpisodeRecord | None:
        """The record of the episode added last; None if there is none."""
        path = self.root / layout.record_path(self.episodes - 1)
        return read_model(path, EpisodeRecord) if self.episodes and path.exists() else None

    def next_place(self) -> tuple[int, int]:
        """Chunk and file for the next episode's data and videos."""
        if not self._last:
            return 0, 0
        return layout.next_place(self._last["data/chunk_index"], self._last["data/file_index"])

    def task_index(self, instruction: str) -> int:
        """The number of an instruction; a new one is added."""
        if instruction not in self._tasks:
            self._tasks.append(instruction)
            self._replace(tasks_table(self._tasks), self.root / layout.TASKS)
        return self._tasks.index(instruction)

    def append(self, row: dict[str, Any], stats: Mapping[str, Stats]) -> None:
        """Make an episode part of the dataset: its files must be in place."""
        if len(self._rows) >= _EPISODES_PER_FILE:
            self._place, self._rows = layout.next_place(*self._place), []
        chunk_index, file_index = self._place
        row |= {"meta/episodes/chunk_index": chunk_index, "meta/episodes/file_index": file_index}
        path = fill(layout.EPISODES_V30, chunk_index=chunk_index, file_index=file_index)
        self._rows.append(row)
        self._replace(pa.Table.from_pylist(self._rows), self.root / path)
        self._last = row
        self._stats = joined([self._stats, stats]) if self._stats else dict(stats)
        self._write_derived()

    def _load(self) -> None:
        files = Files(self.root)
        parts: list[dict[str, dict[str, np.ndarray]]] = []
        for path in sorted(self.root.glob("meta/episodes/*/*.parquet")):
            files.path(path.relative_to(self.root))
            self._rows = read_rows(path, most=MOST_EPISODES - len(parts))
            parts += [stats_of(row) for row in self._rows]
            for row in self._rows:
                for name in _COUNTED:
                    counted(row.get(name), name, where=path)
        if self._rows:
            self._last = self._rows[-1]
            self._place = (
                self._last["meta/episodes/chunk_index"],
                self._last["meta/episodes/file_index"],
            )
            try:
                self._stats = joined(parts)
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise DatasetError(
                    f"{self.root}/meta/episodes: no statistics to continue from: {error!r}"
                ) from error

    def _replace(self, table: pa.Table, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = fresh(path)
        write_table(table, temporary)
        put(temporary, path)

    def _write_derived(self) -> None:
        if self._stats:
            stats = {
                feature: {name: value.tolist() for name, value in values.items()}
                for feature, values in self._stats.items()
            }
            write_json(self.root / layout.STATS, stats)
        has_videos = bool(self.form.cameras)
        write_json(
            self.root / layout.INFO,
            {
                "codebase_version": layout.V30,
                "robot_type": self.form.robot_type,
                "total_episodes": self.episodes,
                "total_frames": self.frames,
                "total_tasks": len(self._tasks),
                "chunks_size": layout.FILES_PER_CHUNK,
                "data_files_size_in_mb": 100,
                "video_files_size_in_mb": 200,
                "fps": self.form.fps,
                "splits": {"train": f"0:{self.episodes}"} if self.episodes else {},
                "data_path": layout.DATA_V30,
                "video_path": layout.VIDEO_V30 if has_videos else None,
                "features": self.form.features(),
            },
        )


def _known_tasks(path: Path) -> list[str]:
    tasks = read_tasks(path) if path.exists() else {}
    if list(tasks) != list(range(len(tasks))):
        raise DatasetError(
            f"{path}: task_index is {quoted(list(tasks)[:20])}, expected 0, 1, 2, …"
        )
    return list(tasks.values())
