"""LeRobot datasets, ours and foreign ones, as an `EpisodeSet`."""

from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.action_spec import ACTION_NAMES
from robot_vision.core.types import Frame
from robot_vision.datasets.episode_set import (
    EpisodeActions,
    EpisodeCamera,
    EpisodeState,
    several_tasks,
)
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episodes import MOST_VIDEO_S, video_keys
from robot_vision.datasets.lerobot.files.images import depth_m_from_mm
from robot_vision.datasets.lerobot.form.features import (
    View,
    is_image,
    view_called,
    views_of,
    words_of,
)
from robot_vision.datasets.lerobot.form.own_meaning import own_meaning
from robot_vision.datasets.lerobot.form.schema import STATE, TAUGHT

# LeRobot's policies take features with this prefix; some converters write the plural.
_ACTION = "action"
_OBSERVATION = "observation."
_SUCCESS = "next.success"
_NUMBERS = ("float", "int", "uint")
_MOST_OFF_RATE = 0.1
# Periods from row to row: beyond these a row is repeated or lost, whatever the clock's jitter.
_CLOSEST, _FURTHEST = 0.1, 1.9
_MOST_OFF_START = 0.5


class LerobotSet:
    """Episodes by number; see `EpisodeSet`.

    Frames of our own datasets have the recorded stamps and intrinsics; those of
    foreign ones have neither. Raises `DatasetError` if `fps` is above 0 and differs from the
    dataset's.
    """

    def __init__(self, path: Path, *, fps: float = 0.0) -> None:
        self._dataset = Dataset(path)
        self._actions = _action_features(self._dataset)
        self._states = _state_features(self._dataset)
        if fps > 0 and fps != self.fps:
            raise DatasetError(f"{path} states that it has {self.fps:g} fps, not {fps:g}")

    @property
    def name(self) -> str:
        return self._dataset.root.name

    @property
    def dataset(self) -> Dataset:
        """The dataset behind it, which says more for our own sets."""
        return self._dataset

    @property
    def fps(self) -> float:
        return float(self._dataset.fps)

    @property
    def says_rate(self) -> bool:
        return True

    @property
    def said_meaning(self) -> dict[str, Any] | None:
        form = self._dataset.form
        return None if form is None else own_meaning(form)

    @property
    def cameras(self) -> tuple[EpisodeCamera, ...]:
        return tuple(
            EpisodeCamera(name=view.name, has_depth=bool(view.depth))
            for view in views_of(self._dataset.features)
        )

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(episode.length for episode in self._dataset.episodes)

    @property
    def remarks(self) -> tuple[str, ...]:
        features = self._dataset.features
        return tuple(
            f"depth of {view.name}: its unit is not given; mm is assumed"
            for view in views_of(features)
            if view.depth and "depth_unit" not in (features[view.depth].get("info") or {})
        )

    def instruction(self, episode_index: int) -> str:
        return "; ".join(self._tasks(episode_index))

    def instructions(self, episode_index: int) -> tuple[str, ...]:
        record = self._dataset.episode(episode_index).record
        return (record.wordings if record else ()) or self._tasks(episode_index)

    def _tasks(self, episode_index: int) -> tuple[str, ...]:
        tasks = self._dataset.episode(episode_index).tasks
        if tasks:
            return tasks
        used = _used_tasks(self._dataset.columns(episode_index))
        return tuple(self._dataset.tasks[i] for i in used if i in self._dataset.tasks)

    def success(self, episode_index: int) -> bool | None:
        record = self._dataset.episode(episode_index).record
        if record is not None:
            return record.success
        marks = self._dataset.columns(episode_index).get(_SUCCESS)
        return None if marks is None or marks.dtype.kind not in "bi" else bool(marks.any())

    def contradictions(self, episode_index: int) -> dict[str, str]:
        rows, tasks = self._dataset.columns(episode_index), self._tasks(episode_index)
        used = [self._dataset.tasks.get(index, "") for index in _used_tasks(rows)]
        found = several_tasks(used)
        if not found and any(used) and not set(used) <= set(tasks):
            found["tasks"] = f"its rows have the task {quoted(used[0])}, meta {quoted(tasks[0])}"
        if (np.diff(rows["frame_index"]) <= 0).any():
            found["rows"] = "its rows are not in the order of frame_index"
        elif fault := self._time_fault(rows["timestamp"]):
            found["timestamps"] = fault
        return found

    def _time_fault(self, stamp_s: np.ndarray) -> str:
        """Empty if rows are a period apart from 0 on, or stamps are too coarse to check it.

        A start elsewhere matters with videos only: LeRobot looks up their pictures by it.
        """
        if not len(stamp_s) or np.spacing(np.abs(stamp_s).max()) * self.fps > _MOST_OFF_RATE:
            return ""
        exact_s = stamp_s.astype(np.float64)
        has_videos = bool(video_keys(self._dataset.info))
        return _rate_fault(exact_s, self.fps) or (
            _start_fault(exact_s, self.fps) if has_videos else ""
        )

    def frame(self, episode_index: int, step_index: int, camera: str) -> Frame:
        view = view_called(camera, self._dataset.features)
        form = self._dataset.form
        if form is not None and view.name in {known.name for known in form.cameras}:
            step = self._dataset.step(episode_index, step_index, cameras=[view.name])
            return step.frames[view.name]
        return self._frame(episode_index, step_index, view)

    def actions(self, episode_index: int) -> EpisodeActions | None:
        if not self._actions:
            return None
        columns = self._dataset.columns(episode_index)
        taught = columns.get(TAUGHT) if self._dataset.form is not None else None
        return EpisodeActions(
            **self._numbers(self._actions, episode_index),
            taught=None if taught is None else taught.reshape(len(taught), -1, len(ACTION_NAMES)),
        )

    def state(self, episode_index: int) -> EpisodeState | None:
        if not self._states:
            return None
        return EpisodeState(**self._numbers(self._states, episode_index))

    def close(self) -> None:
        self._dataset.close()

    def _numbers(self, features: tuple[str, ...], episode_index: int) -> dict[str, Any]:
        columns = self._dataset.columns(episode_index)
        values = [_vectors(columns, name, episode_index) for name in features]
        names = [_names(self._dataset, n, v) for n, v in zip(features, values, strict=True)]
        return {
            "values": np.concatenate(values, axis=1).astype(np.float64),
            "names": tuple(word for words in names for word in words) if all(names) else (),
        }

    def _frame(self, episode_index: int, step_index: int, view: View) -> Frame:
        stamp_ns = round(step_index * NS_PER_S / self.fps)
        rgb = self._dataset.image(episode_index, step_index, view.colour)
        if rgb.ndim != 3:
            raise DatasetError(f"{view.colour}: expected colour, found {rgb.dtype} {rgb.shape}")
        depth_m = None
        if view.depth:
            depth_m = depth_m_from_mm(self._dataset.image(episode_index, step_index, view.depth))
        return Frame(
            stamp_ns=stamp_ns,
            frame_id=view.name,
            rgb=rgb,
            depth_m=depth_m,
            depth_stamp_ns=None if depth_m is None else stamp_ns,
        )


def _rate_fault(stamp_s: np.ndarray, fps: float) -> str:
    """Empty if the spacing of the rows matches `fps`."""
    if len(stamp_s) < 2:
        return ""
    steps = np.diff(stamp_s) * fps
    period = float(np.median(steps))
    if not abs(period - 1) < _MOST_OFF_RATE:
        return f"its rows are {period / fps:.3g} s apart, info.json says {fps:g} fps"
    uneven = np.flatnonzero((steps < _CLOSEST) | (steps > _FURTHEST))
    if not len(uneven):
        return ""
    row = int(uneven[0])
    return (
        f"its rows {row} and {row + 1} are {steps[row] / fps:.3g} s apart, info.json says "
        f"{fps:g} fps" + f"; and so on {len(uneven) - 1} times more" * (len(uneven) > 1)
    )


def _start_fault(stamp_s: np.ndarray, fps: float) -> str:
    """Empty if rows begin at 0, or at a time that no video has, such as seconds since 1970."""
    start_s = float(stamp_s[0])
    if abs(start_s) * fps < _MOST_OFF_START or abs(start_s) > MOST_VIDEO_S:
        return ""
    return (
        f"its rows begin at {start_s:.3g} s; pictures are read from the start of its video, where "
        "LeRobot reads them from that time on"
    )


def _used_tasks(rows: dict[str, np.ndarray]) -> list[int]:
    return np.unique(rows["task_index"]).tolist()


def _action_features(dataset: Dataset) -> tuple[str, ...]:
    """The one action, or its parts if a dataset splits it (`action.left_arm`)."""
    numbers = [n for n, f in dataset.features.items() if not is_image(f)]
    for whole in (_ACTION, f"{_ACTION}s"):
        if whole in numbers:
            return (whole,)
    return tuple(name for name in numbers if name.startswith(f"{_ACTION}."))


def _state_features(dataset: Dataset) -> tuple[str, ...]:
    """`observation.state`, or its parts (`observation.state.joints`); else the other numeric
    observations."""
    kinds = {name: feature["dtype"] for name, feature in dataset.features.items()}
    numbers = [name for name, kind in kinds.items() if kind.startswith(_NUMBERS)]
    if STATE in numbers:
        return (STATE,)
    parts = tuple(name for name in numbers if name.startswith(f"{STATE}."))
    floats = (name for name in numbers if kinds[name].startswith("float"))
    return parts or tuple(name for name in floats if name.startswith(_OBSERVATION))


def _vectors(columns: dict[str, np.ndarray], name: str, episode_index: int) -> np.ndarray:
    found = columns.get(name)
    if found is None or found.dtype.kind not in "biuf":
        raise DatasetError(
            f"episode {episode_index}: {name} must have the same number of values in each row; it "
            "has texts, structures or lists of different lengths"
        )
    return found.reshape(len(found), int(np.prod(found.shape[1:])))


def _names(dataset: Dataset, feature: str, values: np.ndarray) -> tuple[str, ...]:
    """None unless the dataset names each number."""
    words = tuple(words_of(dataset.features[feature].get("names")))
    return words if len(words) == values.shape[1] else ()
