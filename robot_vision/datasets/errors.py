"""Errors of datasets of any kind."""

from robot_vision.core.errors import RobotVisionError


class DatasetError(RobotVisionError, ValueError):
    """A dataset is missing, damaged, or not of the required form."""
