"""Pose and lens of a demonstration's camera, if the set gives them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core.types import Camera
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.form.layout import OURS
from robot_vision.training.demonstrations.demonstrations import Demonstrations


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedCamera:
    """A camera and its pose in the base frame."""

    camera: Camera
    base_from_camera: Float64[np.ndarray, "4 4"]


def camera_at(source: Demonstrations, row: int, name: str) -> PlacedCamera | None:
    """At a row; None unless the set gives both, as only ours do."""
    if not source.origins:
        return None
    first = np.unique(source.first_row)
    folder, number = source.origins[int(np.searchsorted(first, source.first_row[row]))]
    if not (folder / OURS).is_file():
        return None
    with Dataset(folder) as dataset:
        step = dataset.step(number, int(row - source.first_row[row]), cameras=[name])
    camera, pose = step.frames[name].camera, step.base_from_camera.get(name)
    if camera is None or pose is None:
        return None
    return PlacedCamera(camera=camera, base_from_camera=pose)
