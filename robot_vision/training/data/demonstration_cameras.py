"""Where a camera of a demonstration was, and its lens, where the set says it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core.types import Camera
from robot_vision.training.demonstrations.demonstrations import Demonstrations


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedCamera:
    """A camera and its pose in the base frame."""

    camera: Camera
    base_from_camera: Float64[np.ndarray, "4 4"]


def camera_at(source: Demonstrations, row: int, name: str) -> PlacedCamera | None:
    """At a row; None where the set does not say both."""
    return None
