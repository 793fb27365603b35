"""Chooses the source for a path: a recording, a dataset, a video or a folder of images."""

from pathlib import Path

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.datasets.open_dataset import is_dataset
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.episodes.open import open_episodes
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.episodes.source import EpisodeSource
from robot_vision.replay.reading.folders.image_sources import (
    VIDEO_SUFFIXES,
    FolderSource,
    VideoSource,
)
from robot_vision.replay.reading.frames import FrameSource
from robot_vision.replay.reading.messages import BagError
from robot_vision.replay.reading.recording import SUFFIXES


def open_source(path: Path, *, config: ServiceConfig, options: BagOptions) -> FrameSource:
    """Open `path`; raises `BagError` if it cannot be replayed."""
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if is_dataset(path):
        episodes = open_episodes(path, config=config, options=options.episodes)
        return EpisodeSource(episodes, name=path.name, options=options.episodes)
    if options.episodes != EpisodeOptions():
        raise BagError(
            f"{path} is not a dataset of episodes; --episode, --camera and --fps are only for "
            "those"
        )
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoSource(path, config=config)
    if path.is_dir() and not _is_recording(path):
        return FolderSource(path, config=config)
    if path.is_file() and not path.name.endswith(SUFFIXES):
        raise BagError(
            f"{path}: expected a bag ({', '.join(SUFFIXES)}), a video "
            f"({', '.join(VIDEO_SUFFIXES)}) or a folder of a bag, a dataset or images"
        )
    return BagSource(path, config=config, options=options)


def is_bag(path: Path) -> bool:
    """Whether `open_source` reads topics there; not of a dataset of episodes."""
    return _is_recording(path) if path.is_dir() else path.name.endswith(SUFFIXES)


def _is_recording(folder: Path) -> bool:
    return (folder / "metadata.yaml").exists() or any(
        file.name.endswith(SUFFIXES) for file in folder.iterdir()
    )
