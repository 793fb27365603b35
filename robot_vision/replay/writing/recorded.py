"""Data of a dataset besides frames: a table of steps, and topics that plot like live ones."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.replay.reading.frames import RecordedStep
from robot_vision.replay.running.runner import Processed
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.replay.writing.ros_types import make
from robot_vision.replay.writing.tables import Columns, Table, open_table
from robot_vision.topics.messages import new_header

_STEP: Columns = {
    "frame": int,
    "stamp_ns": int,
    "episode": int,
    "step": int,
    "instruction": str,
}


class StepsTable:
    """A row for each frame of a dataset: its step and the demonstrator's action.

    There is no file if the recording is not a dataset. The action columns are those of the first
    step that has any; steps without them have NaN.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: Table | None = None
        self._opened = ExitStack()
        self._action_names: tuple[str, ...] = ()

    def __enter__(self) -> "StepsTable":
        return self

    def __exit__(self, *exc: object) -> None:
        self._opened.close()

    def add(self, done: Processed) -> None:
        step = done.recorded
        if step is None:
            return
        if self._table is None:
            self._action_names = step.action_names
            columns = {**_STEP, **{f"action.{name}": float for name in self._action_names}}
            self._table = self._opened.enter_context(open_table(self._path, columns))
        action = step.action if len(step.action) else np.full(len(self._action_names), np.nan)
        about = (step.episode_index, step.step_index, step.instruction)
        self._table.add([(done.number, done.perception.stamp_ns, *about, *action.tolist())])


class RecordedTopics:
    """Messages of a step by topic: `/recorded/action`, and the instruction where an episode
    begins."""

    def __init__(self) -> None:
        self._episode: int | None = None

    def of(self, step: RecordedStep, *, stamp_ns: int) -> dict[str, tuple[str, Any]]:
        """Type and message of each topic with data at this step."""
        messages: dict[str, tuple[str, Any]] = {}
        if step.episode_index != self._episode:
            self._episode = step.episode_index
            words = {"data": step.instruction}
            messages["/recorded/instruction"] = _message("std_msgs/msg/String", words)
        if len(step.action):
            values = {"name": step.action_names, "position": step.action}
            kind, message = _message("sensor_msgs/msg/JointState", values)
            message.header = new_header(FileMessages(), stamp_ns, "")
            messages["/recorded/action"] = (kind, message)
        return messages


def _message(kind: str, values: dict[str, Any]) -> tuple[str, Any]:
    return kind, make(kind, values)
