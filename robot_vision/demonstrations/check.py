"""Reports every problem of a dataset instead of stopping at the first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from robot_vision.core.files.foreign import brief
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episode import camera_of
from robot_vision.datasets.lerobot.episodes import Place, find_places
from robot_vision.datasets.lerobot.files.video import count_frames
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.features import image_shape, is_image
from robot_vision.datasets.lerobot.form.schema import STAMP

# LeRobot's `tolerance_s` between a row's timestamp and its frame in the video.
_TOLERANCE_S = 1e-4
_FLOAT32_SHARE = 2**-23
_NUMBERS = ("float", "int", "uint", "bool")
_MOST_TASKS = 10  # named per problem


def problems(
    root: Path, *, every_image: bool = False, on_episode: Callable[[int], object] = lambda _: None
) -> list[str]:
    """The problems found, if any. `every_image` decodes all, else each first and last."""
    try:
        dataset = Dataset(root)
    except DatasetError as error:
        return [str(error)]
    places = find_places(root, dataset.info)
    found = [*_left_over(dataset, places), *_totals(dataset), *_gaps(places)]
    frames_in = cache(count_frames)  # a file may have many episodes
    for number, place in enumerate(places):
        try:
            problems_here = [
                *_numbers(dataset, dataset.columns(number), place),
                *_videos(dataset, place, frames_in),
                *_images(dataset, number, place, every_image=every_image),
            ]
        except DatasetError as error:
            problems_here = [str(error)]
        found += [f"episode {place.episode_index}: {problem}" for problem in problems_here]
        on_episode(place.episode_index)
    dataset.close()
    return found


def _left_over(dataset: Dataset, places: Sequence[Place]) -> Iterator[str]:
    for folder in sorted((dataset.root / layout.RECORDING).glob("*/")):
        if folder.is_dir():
            yield f"{folder} is an interrupted episode; check --repair recovers it if possible"
    used = {place.data for place in places}
    for path in sorted(dataset.root.glob("data/*/*.parquet")):
        if path not in used:
            yield f"{path} belongs to no episode, but LeRobot reads all files in data/"


def _gaps(places: Sequence[Place]) -> Iterator[str]:
    numbers = [place.episode_index for place in places]
    if numbers != list(range(len(places))):
        some = f"{numbers[:10]}" + (" …" if len(numbers) > 10 else "")
        yield f"episodes are numbered {some}, LeRobot expects 0, 1, 2, …"


def _totals(dataset: Dataset) -> Iterator[str]:
    counted = {
        "total_episodes": len(dataset.episodes),
        "total_frames": len(dataset),
        "total_tasks": len(dataset.tasks),
    }
    for name, count in counted.items():
        if dataset.info.get(name) != count:
            yield f"info.json says {name} {dataset.info.get(name)}, there are {count}"


def _numbers(dataset: Dataset, numbers: Mapping[str, np.ndarray], place: Place) -> Iterator[str]:
    yield from _counts(dataset, numbers, place)
    yield from _tasks(dataset, numbers, place)
    yield from _shapes(dataset, numbers)
    if dataset.form is not None and (np.diff(numbers[STAMP]) <= 0).any():
        yield f"{STAMP} does not increase"
    for name, values in numbers.items():
        if values.dtype.kind != "f" or not name.startswith(("observation.", "action")):
            continue
        if not np.isfinite(values).all():
            yield f"{name} is not finite in {int((~np.isfinite(values)).sum())} places"


def _counts(dataset: Dataset, numbers: Mapping[str, np.ndarray], place: Place) -> Iterator[str]:
    frame_index = np.arange(place.length)
    expected = {
        "frame_index": frame_index,
        "index": frame_index + place.first_index,
        "timestamp": frame_index / dataset.fps,
    }
    for name, values in expected.items():
        # An hour in 32 bits is stored to 0.1 ms: that is not the writer's fault.
        apart = np.abs(numbers[name].astype(np.float64) - values)
        wrong = np.flatnonzero(~(apart <= np.maximum(_TOLERANCE_S, values * _FLOAT32_SHARE)))
        if len(wrong):
            row = int(wrong[0])
            yield f"{name} of frame {row} is {numbers[name][row]}, expected {values[row]}"


def _shapes(dataset: Dataset, numbers: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name, feature in dataset.features.items():
        declared = tuple(feature["shape"])
        if not feature["dtype"].startswith(_NUMBERS) or 0 in declared:
            continue
        found = numbers[name].shape[1:] if name in numbers else None
        if found != declared and not (found == () and declared == (1,)):
            has = "of no consistent shape" if found is None else f"of shape {list(found)}"
            yield f"{name} is {has} per row, info.json says {list(declared)}"


def _tasks(dataset: Dataset, numbers: Mapping[str, np.ndarray], place: Place) -> Iterator[str]:
    used = np.unique(numbers["task_index"]).tolist()
    unknown = [index for index in used if index not in dataset.tasks]
    if unknown:
        yield f"its rows have the task_index {unknown[:_MOST_TASKS]}, which meta does not name"
    words = {dataset.tasks[index] for index in used if index in dataset.tasks}
    if place.tasks and words != set(place.tasks):
        yield f"its rows have the tasks {_some(sorted(words))}, meta {_some(place.tasks)}"


def _videos(dataset: Dataset, place: Place, frames_in: Callable[[Path], int]) -> Iterator[str]:
    for key, (path, first_s) in place.video.items():
        frames = round(first_s * dataset.fps) + place.length
        if (count := frames_in(path)) < frames:
            yield f"{path} has {count} frames, {frames} are needed for {key}"


def _images(dataset: Dataset, number: int, place: Place, *, every_image: bool) -> Iterator[str]:
    for camera in dataset.form.cameras if dataset.form else ():
        if problem := camera_of(dataset.episodes[number], camera)[1]:
            yield problem
    wanted = range(place.length) if every_image else sorted({0, max(place.length - 1, 0)})
    for key, feature in dataset.features.items():
        if not is_image(feature):
            continue
        declared = image_shape(feature)[:2]
        for frame_index in wanted:
            try:
                shape = dataset.image(number, frame_index, key).shape
            except DatasetError as error:
                yield str(error)
                break
            if len(declared) == 2 and shape[:2] != declared:
                yield f"{key} has shape {shape}, info.json {feature['shape']}"
                break


def _some(tasks: Sequence[str]) -> list[str]:
    return [brief(task) for task in tasks[:_MOST_TASKS]]
