"""Poses and lenses of the cameras of episodes, where given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.datasets.camera_names import camera_called
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.episode_set import LerobotSet
from robot_vision.datasets.meaning.meaning import Meaning

Poses = Float64[np.ndarray, "n 4 4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraPlaces:
    """Poses in the base frame and focal lengths by the picture's width and height, a row per step.

    NaN where unknown.
    """

    base_from_camera: Poses
    focal_per_side: Float64[np.ndarray, "n 2"]


def camera_places(
    episodes: EpisodeSet,
    meaning: Meaning,
    number: int,
    camera: str,
    *,
    length: int,
    base_from_tool: Poses | None,
    of: str = "the set",
) -> CameraPlaces:
    """For a camera, by the set's own name, in an episode of `length` steps; `of` names the set."""
    if isinstance(episodes, LerobotSet) and episodes.said_meaning is not None:
        return _recorded(episodes.dataset, number, camera, length)
    names = [known.name for known in episodes.cameras]
    for name, said in meaning.cameras.items():
        if camera_called(name, names, of=of) != camera:
            continue
        poses = np.tile(said.place.pose, (length, 1, 1))
        if said.is_on_tool:
            assert base_from_tool is not None, "the meaning asks for state.tool"
            poses = base_from_tool @ poses
        focal = said.focal_px / np.array([said.width_px, said.height_px])
        return CameraPlaces(base_from_camera=poses, focal_per_side=np.tile(focal, (length, 1)))
    return _unknown(length)


def joined_places(each: Sequence[CameraPlaces]) -> CameraPlaces:
    """For one episode after the other."""
    return CameraPlaces(
        base_from_camera=np.concatenate([one.base_from_camera for one in each]),
        focal_per_side=np.concatenate([one.focal_per_side for one in each]),
    )


def _unknown(length: int) -> CameraPlaces:
    return CameraPlaces(
        base_from_camera=np.full((length, 4, 4), np.nan),
        focal_per_side=np.full((length, 2), np.nan),
    )


def _recorded(dataset: Dataset, number: int, camera: str, length: int) -> CameraPlaces:
    """As in our own sets: a pose per row, a lens per episode."""
    found = _unknown(length)
    form = dataset.form
    if form is None or camera not in {known.name for known in form.cameras}:
        return found
    known, record = form.camera(camera), dataset.episode(number).record
    poses = dataset.columns(number)[known.pose_key].reshape(-1, 4, 4)
    lens = None if record is None else record.cameras.get(camera)
    focal = found.focal_per_side
    if lens is not None and lens.intrinsics_px is not None:
        (fx, _, _), (_, fy, _), _ = lens.intrinsics_px
        focal = np.tile([fx / known.width_px, fy / known.height_px], (length, 1))
    return CameraPlaces(base_from_camera=poses.astype(np.float64), focal_per_side=focal)
