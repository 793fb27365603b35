"""Demonstrations as datasets in LeRobot's layout: written, checked, read back for training."""
