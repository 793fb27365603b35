"""The registry of trackers: every module of `robot_vision.tracking` registers its own."""

from collections.abc import Callable

from robot_vision.core.interfaces import Tracker
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.core.registry import Registry

TRACKERS: Registry[Callable[[TrackerConfig], Tracker]] = Registry(
    "tracker", package="robot_vision.tracking"
)


def build_tracker(config: TrackerConfig) -> Tracker:
    """The tracker that `config.name` names; raises `UnknownNameError` if there is none."""
    return TRACKERS.get(config.name)(config)
