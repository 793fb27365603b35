"""Perception service for robots on ROS 2: features, metric depth, tracked 3-D objects, actions."""

__version__ = "0.2.0"
