"""The scenes that trackers are measured on, by name."""

from collections.abc import Callable

from robot_vision.bench.tracking.people_scenes import pedestrians, pedestrians_moving, sidewalk
from robot_vision.bench.tracking.scene import Scene
from robot_vision.bench.tracking.tabletop_scenes import (
    camera_motion,
    crossings,
    leaving,
    look_alikes,
    occlusions,
)

SCENES: dict[str, Callable[[int], Scene]] = {
    "crossings": crossings,
    "occlusions": occlusions,
    "camera motion": camera_motion,
    "look-alikes": look_alikes,
    "leaving": leaving,
    "pedestrians": pedestrians,
    "pedestrians, moving": pedestrians_moving,
    "sidewalk": sidewalk,
}
