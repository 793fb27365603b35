"""Demonstrations as datasets in LeRobot's layout: recorded, written, checked, exported."""

# Reports in words which packages are missing, where some are.
import robot_vision.datasets.lerobot  # noqa: F401
