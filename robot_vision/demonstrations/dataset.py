"""The location of `Dataset` until 0.2, kept for scripts that import it from here.

It is `robot_vision.datasets.lerobot.dataset` now, and `robot_vision.datasets.open_dataset` for any
kind of dataset.
"""

from robot_vision.datasets.lerobot.dataset import Dataset, Episode, steps

__all__ = ["Dataset", "Episode", "steps"]
