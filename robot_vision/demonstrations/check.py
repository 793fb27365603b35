"""Says all that is wrong with a dataset, in words, rather than stopping at the first thing."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from robot_vision.core.foreign import brief
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot import layout
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episode import camera_of
from robot_vision.datasets.lerobot.episodes import Place, find_places
from robot_vision.datasets.lerobot.features import is_image
from robot_vision.datasets.lerobot.files.video import count_frames
from robot_vision.datasets.lerobot.schema import STAMP

# LeRobot's `tolerance_s` between a row's timestamp and its frame in the video.
_TOLERANCE_S = 1e-4
_MOST_TASKS = 10  # that a problem names


def problems(
    root: Path, *, every_image: bool = False, on_episode: Callable[[int], object] = lambda _: None
) -> list[str]:
    """What is wrong; empty if nothing is. `every_image` decodes all, else each first and last."""
    try:
        dataset = Dataset(root)
    except DatasetError as error:
        return [str(error)]
    found = [*_left_over(dataset), *_totals(dataset)]
    for place in find_places(root, dataset.info):
        found += [
            f"episode {place.episode_index}: {problem}"
            for problem in _of_episode(dataset, place, every_image=every_image)
        ]
        on_episode(place.episode_index)
    dataset.close()
    return found


def _left_over(dataset: Dataset) -> Iterator[str]:
    for folder in sorted((dataset.root / layout.RECORDING).glob("*/")):
        if folder.is_dir():
            yield f"{folder} is an interrupted episode; check --repair recovers it, if it can"
    used = {place.data for place in find_places(dataset.root, dataset.info)}
    for path in sorted(dataset.root.glob("data/*/*.parquet")):
        if path not in used:
            yield f"{path} belongs to no episode, but LeRobot reads all files in data/"


def _totals(dataset: Dataset) -> Iterator[str]:
    counted = {
        "total_episodes": len(dataset.episodes),
        "total_frames": len(dataset),
        "total_tasks": len(dataset.tasks),
    }
    for name, count in counted.items():
        if dataset.info.get(name) != count:
            yield f"info.json says {name} {dataset.info.get(name)}, there are {count}"


def _of_episode(dataset: Dataset, place: Place, *, every_image: bool) -> Iterator[str]:
    try:
        yield from _numbers(dataset, place)
        for key, (path, first_s) in place.video.items():
            frames = round(first_s * dataset.fps) + place.length
            if (count := count_frames(path)) < frames:
                yield f"{path} has {count} frames, {frames} are needed for {key}"
    except DatasetError as error:
        yield str(error)
        return
    episode = dataset.episodes[place.episode_index]
    for camera in dataset.form.cameras if dataset.form else ():
        if problem := camera_of(episode, camera)[1]:
            yield problem
    images = [n for n, f in dataset.features.items() if is_image(f)]
    wanted = range(place.length) if every_image else sorted({0, place.length - 1})
    for key in images:
        for frame_index in wanted:
            try:
                shape = dataset.image(place.episode_index, frame_index, key).shape
            except DatasetError as error:
                yield str(error)
                break
            if list(shape[:2]) != dataset.features[key]["shape"][:2]:
                yield f"{key} has shape {shape}, info.json {dataset.features[key]['shape']}"
                break


def _numbers(dataset: Dataset, place: Place) -> Iterator[str]:
    numbers = dataset.columns(place.episode_index)
    frame_index = np.arange(place.length)
    expected = {
        "frame_index": frame_index,
        "index": frame_index + place.first_index,
        "timestamp": frame_index / dataset.fps,
    }
    for name, values in expected.items():
        wrong = np.flatnonzero(~(np.abs(numbers[name] - values) <= _TOLERANCE_S))
        if len(wrong):
            row = int(wrong[0])
            yield f"{name} of frame {row} is {numbers[name][row]}, expected {values[row]}"
    tasks = np.unique(numbers["task_index"])
    known = tasks[(tasks >= 0) & (tasks < len(dataset.tasks))]
    words = [dataset.tasks[int(i)] for i in known]
    if sorted(words) != sorted(place.tasks):
        yield f"its rows have the tasks {_some(words)}, meta {_some(place.tasks)}"
    if dataset.form is not None and (np.diff(numbers[STAMP]) <= 0).any():
        yield f"{STAMP} does not rise"
    for name, values in numbers.items():
        if values.dtype.kind != "f" or not name.startswith(("observation.", "action")):
            continue
        if not np.isfinite(values).all():
            yield f"{name} is not finite in {int((~np.isfinite(values)).sum())} places"


def _some(tasks: Sequence[str]) -> list[str]:
    return [brief(task) for task in tasks[:_MOST_TASKS]]
