"""The instructions of a dataset, by the index used in its rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.parquet import MOST_EPISODES, read_rows
from robot_vision.datasets.lerobot.files.paths import counted

# Of `tasks.parquet`: LeRobot writes it with pandas, whose index has one name or the other.
_WORDS = ("task", "__index_level_0__")


def read_tasks(path: Path) -> dict[int, str]:
    """The instruction of each task index of a `tasks.parquet`, in order."""
    rows = read_rows(path, most=MOST_EPISODES)
    columns = list(rows[0]) if rows else []
    others = [name for name in columns if name != "task_index"]
    words = next((name for name in _WORDS if name in others), others[0] if others else "")
    if rows and ("task_index" not in columns or not words):
        raise DatasetError(
            f"{path}: expected columns task_index, task; has {quoted(', '.join(columns))}"
        )
    return tasks_of(rows, words=words, where=path)


def tasks_of(rows: Iterable[dict[str, Any]], *, words: str, where: Path) -> dict[int, str]:
    """Tasks by index, whatever the file's order. Raises `DatasetError`."""
    tasks: dict[int, str] = {}
    for row in rows:
        index = counted(row.get("task_index"), "task_index", where=where)
        task = row.get(words)
        if not isinstance(task, str):
            raise DatasetError(f"{where}: task {index} is {quoted(task)}, expected a text")
        if tasks.setdefault(index, task) != task:
            raise DatasetError(
                f"{where}: task_index {index} is both {quoted(tasks[index])} and {quoted(task)}"
            )
    return dict(sorted(tasks.items()))
