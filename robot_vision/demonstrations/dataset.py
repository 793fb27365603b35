"""Where `Dataset` was until 0.2: scripts of others import it from here.

It is `robot_vision.datasets.lerobot.dataset` now, and `robot_vision.datasets.open_dataset` for any
kind of dataset.
"""

from robot_vision.datasets.lerobot.dataset import Dataset, Episode, steps

__all__ = ["Dataset", "Episode", "steps"]
