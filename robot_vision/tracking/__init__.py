"""Lasting identities for objects, in 2-D and 3-D, timed by stamps."""

from collections.abc import Callable
from functools import partial

from robot_vision.core.config import TrackerConfig
from robot_vision.core.interfaces import Tracker
from robot_vision.core.registry import Registry
from robot_vision.tracking.adapters import LIBRARY_CLASSES, LibraryTracker
from robot_vision.tracking.tracker import StampedTracker

TRACKERS: Registry[Callable[[TrackerConfig], Tracker]] = Registry("tracker")
TRACKERS.register("robot_vision")(StampedTracker)
for _name in LIBRARY_CLASSES:
    TRACKERS.register(_name)(partial(LibraryTracker, name=_name))


def build_tracker(config: TrackerConfig) -> Tracker:
    """The tracker that `config.name` names; raises `UnknownNameError` if there is none."""
    return TRACKERS.get(config.name)(config)
