"""Persistent identities for objects, in 2-D and 3-D, timed by stamps."""

from robot_vision.tracking.registry import TRACKERS, build_tracker

__all__ = ["TRACKERS", "build_tracker"]
