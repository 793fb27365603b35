"""Demonstrations as datasets in LeRobot's layout: recorded, written, checked, exported."""

# Reports missing packages, if any.
import robot_vision.datasets.lerobot  # noqa: F401
