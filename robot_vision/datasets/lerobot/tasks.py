"""The instructions of a dataset, by the index that rows have."""

from pathlib import Path

from robot_vision.core.foreign import quoted
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.parquet import MOST_EPISODES, read_rows
from robot_vision.datasets.lerobot.files.paths import counted


def read_tasks(path: Path) -> list[str]:
    """The words of each task index."""
    rows = read_rows(path, most=MOST_EPISODES)
    names = [name for name in (rows[0] if rows else {}) if name != "task_index"]
    if rows and ("task_index" not in rows[0] or len(names) != 1):
        raise DatasetError(
            f"{path}: expected columns task_index, task; has {quoted(', '.join(rows[0]))}"
        )
    by_index = {counted(r["task_index"], "task_index", where=path): r[names[0]] for r in rows}
    if set(by_index) != set(range(len(rows))):
        raise DatasetError(
            f"{path}: task_index is {quoted(list(by_index)[:20])}, expected 0, 1, 2, …"
        )
    for words in by_index.values():
        if not isinstance(words, str):
            raise DatasetError(f"{path}: a task is {quoted(words)}, expected words")
    return [by_index[index] for index in range(len(by_index))]
