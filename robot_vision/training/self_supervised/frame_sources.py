"""Sources of frames without labels: folders of pictures, labelled sets, bags, datasets."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError
from robot_vision.datasets.open_dataset import is_dataset, open_dataset
from robot_vision.recorded_views.pictures import (
    IMAGE_TYPES,
    check_topic,
    is_recording,
    pictures,
    topic_types,
)
from robot_vision.replay.reading.discovery import Topics, find_topics
from robot_vision.replay.reading.folders.folder_pairs import depth_among
from robot_vision.replay.reading.messages import BagError, Problems
from robot_vision.replay.reading.recording import Recording
from robot_vision.training.data.caches.picture_cache import file_stamp
from robot_vision.training.data.opening.faults import Faults
from robot_vision.training.data.opening.open_set import kind_of, open_set, set_and_split
from robot_vision.training.data.samples.image_files import images_below
from robot_vision.training.demonstrations.sources import fingerprint

Read = Callable[[], UInt8[np.ndarray, "h w 3"]]
# Folders of a set whose pictures are not colour, and folders kept beside one.
_NO_COLORS = frozenset(("depth", "depth_true", "masks", "labels", "annotations", "cache"))


class FrameSource(ABC):
    """Frames of one folder or file, numbered from 0; each is decoded on demand."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def cache_folder(self) -> Path:
        """Where decoded frames are kept unless a recipe says: beside the files that a fingerprint
        holds all files of."""
        return self.path.parent / "cache" / self.path.name

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever the frames do."""

    @abstractmethod
    def count(self) -> int:
        """The number of frames; a bag is read through for it."""

    @abstractmethod
    def frames(self, rows: Sequence[int]) -> Iterator[Read]:
        """The frames with these increasing numbers; a reader raises `RobotVisionError` for a
        frame that cannot be decoded."""


def open_sources(sets: Sequence[str], topics: Sequence[str]) -> list[FrameSource]:
    """A source for each set; `topics` are the cameras of bags, found if not given.

    Raises `ConfigError`, `BagError` or `DatasetError` for unreadable sets.
    """
    if not sets:
        raise ConfigError(
            "options.train_sets names no set: expected folders of pictures, labelled sets, bags "
            "or datasets of episodes"
        )
    return [_open(folder, topics) for folder in sets]


def _open(folder: str, topics: Sequence[str]) -> FrameSource:
    root, _ = set_and_split(folder)
    if not root.exists():
        raise ConfigError(f"options.train_sets: {folder} does not exist")
    if is_dataset(root):
        return _Episodes(root)
    if is_recording(root):
        return _Bag(root, topics)
    if not root.is_dir():
        raise ConfigError(
            f"options.train_sets: {folder} is not a bag; expected a folder of pictures, a "
            "labelled set, a bag or a dataset of episodes"
        )
    return _Pictures(root, _picture_files(folder, root))


def _picture_files(folder: str, root: Path) -> list[Path]:
    """The images of a labelled set, else all below the folder."""
    try:
        kind = kind_of(root)
    except ConfigError:  # not a labelled set: labels are not needed
        kind = ""
    if kind:
        return [image.rgb_file for image in open_set(folder).images]
    faults = Faults(root, strict=False)
    found = images_below(root, root, faults)
    faults.log()
    depths = depth_among(found)
    files = [
        file
        for file in found
        if file not in depths and not _NO_COLORS & set(file.relative_to(root).parts[:-1])
    ]
    if not files:
        raise ConfigError(f"options.train_sets: {folder} holds no pictures")
    return files


class _Pictures(FrameSource):
    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        super().__init__(path)
        self._files = files

    @property
    def cache_folder(self) -> Path:
        return self.path / "cache"

    def fingerprint(self) -> str:
        digest = blake2b(digest_size=8)
        for file in self._files:
            digest.update(file_stamp(file).encode())
        return digest.hexdigest()

    def count(self) -> int:
        return len(self._files)

    def frames(self, rows: Sequence[int]) -> Iterator[Read]:
        for row in rows:
            file = self._files[row]
            yield lambda file=file: read_image(file, cv2.IMREAD_COLOR_RGB)


class _Episodes(FrameSource):
    """Every step of every episode by each camera, a camera after the other within an episode."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        episodes = open_dataset(path)
        try:
            self._cameras = tuple(camera.name for camera in episodes.cameras)
            self._lengths = episodes.lengths
        finally:
            episodes.close()

    def fingerprint(self) -> str:
        return fingerprint(self.path)

    def count(self) -> int:
        return sum(self._lengths) * len(self._cameras)

    def frames(self, rows: Sequence[int]) -> Iterator[Read]:
        ends = np.cumsum([0, *(length * len(self._cameras) for length in self._lengths)])
        episodes = open_dataset(self.path)
        try:
            for row in rows:
                number = int(np.searchsorted(ends, row, side="right")) - 1
                camera, step = divmod(row - int(ends[number]), self._lengths[number])
                at = (number, step, self._cameras[camera])
                yield lambda at=at: episodes.frame(*at).rgb
        finally:
            episodes.close()


class _Bag(FrameSource):
    def __init__(self, path: Path, topics: Sequence[str]) -> None:
        super().__init__(path)
        self._recording = Recording(path)
        self._topics = tuple(topics) or (self._found(),)
        if topics:
            types = topic_types(self._recording)
            for topic in topics:
                check_topic(topic, types, IMAGE_TYPES, option="options.topics")

    def _found(self) -> str:
        try:
            return find_topics(self._recording, wanted=Topics()).rgb
        except BagError as error:
            raise ConfigError(f"{error}; a recipe names them in options.topics") from error

    def fingerprint(self) -> str:
        return f"{fingerprint(self.path)} {' '.join(self._topics)}"

    def count(self) -> int:
        return sum(1 for _ in self._read())

    def frames(self, rows: Sequence[int]) -> Iterator[Read]:
        wanted = set(rows)
        return (read for row, read in enumerate(self._read()) if row in wanted)

    def _read(self) -> Iterator[Read]:
        for topic in self._topics:
            for picture in pictures(self._recording, topic, Problems()):
                yield picture.read_rgb
