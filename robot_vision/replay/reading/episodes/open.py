"""A dataset of episodes, opened as a replay of it reads it."""

from pathlib import Path

from robot_vision.core.config import ServiceConfig
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.episodes import RldsSet
from robot_vision.datasets.rlds.files import is_rlds
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.messages import BagError


def is_dataset(path: Path) -> bool:
    """Whether episodes lie at `path`, by the names of its files."""
    return is_rlds(path)


def open_episodes(path: Path, *, config: ServiceConfig, options: EpisodeOptions) -> EpisodeSet:
    """Raises `BagError` where the dataset cannot be read."""
    try:
        return RldsSet(
            path,
            fps=options.fps,
            raw_unit_m=config.depth.raw_unit_m,
            float_unit_m=config.depth.float_unit_m,
            limits=config.limits,
        )
    except DatasetError as error:
        raise BagError(str(error)) from error
