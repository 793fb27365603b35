"""Reads datasets of demonstrations: LeRobot v3.0 and v2.1, ours and foreign ones.

`columns` and `image` work for any of them. `step` and `steps` give what training needs, and
require `meta/robot_vision.json`, which says what the numbers mean. Episodes count from 0 in order
of their numbers, in which foreign datasets may have gaps (`Episode.index`).
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from robot_vision.core.types import Frame
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.depth_codes import depth_mm_of_codes
from robot_vision.datasets.lerobot.episode import Episode, camera_of, frame_id_of
from robot_vision.datasets.lerobot.episodes import Place, find_places, read_task_names
from robot_vision.datasets.lerobot.files.images import (
    decode_depth_mm,
    decode_image,
    depth_m_from_mm,
)
from robot_vision.datasets.lerobot.files.json_files import read_model
from robot_vision.datasets.lerobot.files.paths import Files
from robot_vision.datasets.lerobot.files.video import VideoReader
from robot_vision.datasets.lerobot.form import layout
from robot_vision.datasets.lerobot.form.features import is_depth, is_image
from robot_vision.datasets.lerobot.form.info import read_info
from robot_vision.datasets.lerobot.form.schema import (
    ACTION,
    ROBOT_STAMP,
    STAMP,
    STATE,
    TARGET,
    CameraFormat,
    DatasetFormat,
    EpisodeRecord,
)
from robot_vision.datasets.lerobot.rows import Rows, must_be_of
from robot_vision.datasets.lerobot.sample import Step, pose_from_vector, robot_from_state

_OPEN_FILES = 8


class Dataset:
    """A dataset on disk, read-only; `len` counts steps, `dataset[i]` is the i-th of them.

    Files are opened on demand, a few at a time; a copy in another process opens its
    own. Raises `DatasetError` for missing or damaged data, on access.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.info = read_info(self.root)
        self.fps: int = self.info["fps"]
        self.tasks = read_task_names(self.root, self.info)
        self._files = Files(self.root)
        ours = self._files.path(layout.OURS)
        self.form = read_model(ours, DatasetFormat) if ours.exists() else None
        self._places = find_places(self.root, self.info)
        self.episodes = tuple(self._episode(place) for place in self._places)
        self._ends = np.cumsum([episode.length for episode in self.episodes])
        self._columns: OrderedDict[int, dict[str, np.ndarray]] = OrderedDict()
        self._videos: OrderedDict[Path, VideoReader] = OrderedDict()
        self._rows = Rows(self.features)

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["Dataset"], tuple[Path]]:
        return Dataset, (self.root,)

    def __len__(self) -> int:
        return sum(episode.length for episode in self.episodes)

    def __getitem__(self, index: int) -> Step:
        if not 0 <= index < len(self):
            raise IndexError(f"step {index}; the dataset has {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self.step(number, index - int(self._ends[number]) + self.episodes[number].length)

    @property
    def features(self) -> dict[str, Any]:
        """Features as `info.json` declares them."""
        return self.info["features"]

    @property
    def units(self) -> dict[str, tuple[str, ...]]:
        """Units of the numbers of each feature that states them."""
        listed = {name: (f.get("info") or {}).get("units") for name, f in self.features.items()}
        return {
            name: tuple(str(unit) for unit in units)
            for name, units in listed.items()
            if isinstance(units, list)
        }

    def columns(self, episode_index: int) -> dict[str, np.ndarray]:
        """An episode's data by feature: numbers [length, …], texts [length] as objects.

        Without images, structures, and lists of different lengths.
        """
        if episode_index not in self._columns:
            _shrink(self._columns)
            columns = self._rows.columns(self._place(episode_index))
            if self.form is not None:
                must_be_of(self.form, columns, self.root)
            self._columns[episode_index] = columns
        self._columns.move_to_end(episode_index)
        return self._columns[episode_index]

    def image(
        self, episode_index: int, frame_index: int, feature: str
    ) -> UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w"]:
        """An image: RGB, or depth as stored (millimetres, 0 invalid)."""
        place = self._must_have(episode_index, frame_index)
        about = self.features.get(feature)
        if about is None or not is_image(about):
            images = [n for n, f in self.features.items() if is_image(f)]
            raise DatasetError(f"no images {feature!r}; available: {', '.join(images) or 'none'}")
        if feature in place.video:
            path, first_s = place.video[feature]
            video, time_s = self._video(path), first_s + frame_index / self.fps
            if is_depth(feature, about):
                return depth_mm_of_codes(video.codes(time_s), about.get("info") or {})
            return video.frame(time_s)
        of = f"{place.data}, episode {episode_index}, frame {frame_index}, {feature}"
        stored = self._rows.image(place, frame_index, feature)
        decode = decode_depth_mm if is_depth(feature, about) else decode_image
        return decode(stored, of=of)

    def episode(self, episode_index: int) -> Episode:
        """The episode at this index in the dataset; raises `DatasetError`."""
        self._place(episode_index)
        return self.episodes[episode_index]

    def step(
        self, episode_index: int, frame_index: int, *, cameras: Sequence[str] | None = None
    ) -> Step:
        """The observation and action at a frame, with the images of `cameras` (None: of all)."""
        form = self._our_form()
        self._must_have(episode_index, frame_index)
        episode = self.episodes[episode_index]
        numbers = {k: v[frame_index] for k, v in self.columns(episode_index).items()}
        wanted = form.cameras if cameras is None else [form.camera(name) for name in cameras]
        return Step(
            stamp_ns=int(numbers[STAMP]),
            frames={c.name: self._frame(episode_index, frame_index, c, numbers) for c in wanted},
            robot=robot_from_state(int(numbers[ROBOT_STAMP]), numbers[STATE]),
            action=numbers[ACTION].astype(np.float64),
            base_from_target=pose_from_vector(numbers[TARGET]),
            base_from_camera={
                c.name: pose.reshape(4, 4)
                for c in wanted
                if np.isfinite(pose := numbers[c.pose_key]).all()
            },
            episode_index=episode_index,
            frame_index=frame_index,
            instruction=episode.instruction,
            is_last=frame_index == episode.length - 1,
        )

    def close(self) -> None:
        """Close the open files."""
        for video in self._videos.values():
            video.close()
        self._videos.clear()
        self._rows.close()

    def _episode(self, place: Place) -> Episode:
        path = self._files.path(layout.record_path(place.episode_index))
        # LeRobot may have appended episodes, with fewer details.
        record = read_model(path, EpisodeRecord) if path.exists() else None
        return Episode(
            index=place.episode_index,
            length=place.length,
            tasks=place.tasks,
            first_index=place.first_index,
            record=record,
        )

    def _our_form(self) -> DatasetFormat:
        if self.form is None:
            raise DatasetError(
                f"{self.root} has no {layout.OURS}: the meaning of its state and action is "
                "unknown; use columns() and image()"
            )
        return self.form

    def _place(self, episode_index: int) -> Place:
        if not 0 <= episode_index < len(self._places):
            raise DatasetError(f"no episode {episode_index}; the dataset has {len(self._places)}")
        return self._places[episode_index]

    def _must_have(self, episode_index: int, frame_index: int) -> Place:
        place = self._place(episode_index)
        if not 0 <= frame_index < place.length:
            raise DatasetError(
                f"no frame {frame_index} in episode {episode_index}, which has {place.length}"
            )
        return place

    def _frame(
        self,
        episode_index: int,
        frame_index: int,
        camera: CameraFormat,
        numbers: dict[str, np.ndarray],
    ) -> Frame:
        episode = self.episodes[episode_index]
        depth_m = depth_stamp_ns = None
        if camera.has_depth and numbers[camera.depth_stamp_key] >= 0:
            depth_m = depth_m_from_mm(self.image(episode_index, frame_index, camera.depth_key))
            depth_stamp_ns = int(numbers[camera.depth_stamp_key])
        return Frame(
            stamp_ns=int(numbers[camera.stamp_key]),
            frame_id=frame_id_of(episode, camera.name),
            rgb=self.image(episode_index, frame_index, camera.color_key),
            camera=camera_of(episode, camera)[0],
            depth_m=depth_m,
            depth_stamp_ns=depth_stamp_ns,
        )

    def _video(self, path: Path) -> VideoReader:
        if path not in self._videos:
            if len(self._videos) >= _OPEN_FILES:
                self._videos.popitem(last=False)[1].close()
            self._videos[path] = VideoReader(path, fps=self.fps)
        self._videos.move_to_end(path)
        return self._videos[path]


def steps(
    dataset: Dataset,
    *,
    episodes: Sequence[int] | None = None,
    cameras: Sequence[str] | None = None,
    only_success: bool = False,
) -> Iterator[Step]:
    """All steps of a dataset, in order, for training.

    `episodes` selects some by number, `cameras` selects whose images are decoded (None: all).
    `only_success` leaves out episodes that failed or whose success is unknown.
    """
    numbers = range(len(dataset.episodes)) if episodes is None else episodes
    for number in numbers:
        episode = dataset.episode(number)
        if only_success and not (episode.record and episode.record.success):
            continue
        for frame_index in range(episode.length):
            yield dataset.step(number, frame_index, cameras=cameras)


def _shrink(cache: OrderedDict[int, Any]) -> None:
    while len(cache) >= _OPEN_FILES:
        cache.popitem(last=False)
