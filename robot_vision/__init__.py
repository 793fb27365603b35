"""Perception service for robots on ROS 2: features, metric depth, tracked 3-D objects, actions.

From Python (docs/python.md): `rv.load("native-s")` is the service, `rv.frames` and `rv.replay`
read recordings. Names are imported when they are first used: this import costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robot_vision.core.errors import RobotVisionError
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.core.types import (
        Camera,
        Depth,
        Detections,
        Features,
        Frame,
        Perception,
        Tracks,
    )
    from robot_vision.pipeline import Pipeline, build_pipeline
    from robot_vision.replay.jobs.from_python import ReplayResult, frames, replay
    from robot_vision.service import Service, load

__version__ = "0.2.0"

__all__ = [
    "Camera",
    "Depth",
    "Detections",
    "Features",
    "Frame",
    "Perception",
    "Pipeline",
    "ReplayResult",
    "RobotVisionError",
    "Service",
    "ServiceConfig",
    "Tracks",
    "build_pipeline",
    "frames",
    "load",
    "replay",
]

_HOMES = {
    "RobotVisionError": "core.errors",
    "ServiceConfig": "core.parameters.config",
    **dict.fromkeys(
        ("Camera", "Depth", "Detections", "Features", "Frame", "Perception", "Tracks"),
        "core.types",
    ),
    **dict.fromkeys(("Pipeline", "build_pipeline"), "pipeline"),
    **dict.fromkeys(("ReplayResult", "frames"), "replay.jobs.from_python"),
    **dict.fromkeys(("Service", "load"), "service"),
}


def __getattr__(name: str) -> Any:
    if name == "replay":  # the package of that name, which can be called
        return import_module(f"{__name__}.replay")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
