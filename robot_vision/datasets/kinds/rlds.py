"""Datasets in RLDS, as TensorFlow Datasets writes them: `.tfrecord` files."""

from pathlib import Path

from robot_vision.datasets.episode_set import EpisodeSet, Reading
from robot_vision.datasets.rlds.episodes import RldsSet
from robot_vision.datasets.rlds.files import is_rlds


def matches(path: Path) -> bool:
    return is_rlds(path)


def open_set(path: Path, reading: Reading) -> EpisodeSet:
    return RldsSet(path, reading)
