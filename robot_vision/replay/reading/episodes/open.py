"""Opens a dataset of episodes for replay."""

from pathlib import Path

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.open_dataset import open_dataset
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.messages import BagError


def open_episodes(path: Path, *, config: ServiceConfig, options: EpisodeOptions) -> EpisodeSet:
    """Raises `BagError` if the dataset cannot be read."""
    try:
        return open_dataset(
            path,
            fps=options.fps,
            raw_unit_m=config.depth.raw_unit_m,
            float_unit_m=config.depth.float_unit_m,
            limits=config.limits,
        )
    except DatasetError as error:
        raise BagError(str(error)) from error
