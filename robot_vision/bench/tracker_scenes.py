"""The scenes that trackers are measured on, by name."""

from collections.abc import Callable

from robot_vision.bench.people_scenes import pedestrians, pedestrians_moving, sidewalk
from robot_vision.bench.scene import Scene
from robot_vision.bench.tabletop_scenes import (
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
