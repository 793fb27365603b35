"""Camera poses common to all demonstrations: fixed in the base frame, or to the tool."""

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.core.cameras.camera_mount import SAME_M, SAME_RAD
from robot_vision.datasets.camera_places import CameraPlaces
from robot_vision.models.policies.pixel_spec import TrainedCamera
from robot_vision.training.data.demonstrations.sets import Episodes

_SAME_LENS = 0.02  # of a focal length

Poses = Float64[np.ndarray, "n 4 4"]


def camera_poses(learnt: Episodes) -> tuple[dict[str, TrainedCamera], tuple[str, ...]]:
    """Poses of cameras by name, and the reasons why others have none."""
    found, notes = dict[str, TrainedCamera](), list[str]()
    for camera in learnt.source.observation.cameras:
        pose = _pose(learnt, learnt.source.places.get(camera.name))
        if isinstance(pose, TrainedCamera):
            found[camera.name] = pose
        else:
            notes.append(f"the pose of camera {camera.name} is not shown: {pose}")
    return found, tuple(notes)


def _pose(learnt: Episodes, places: CameraPlaces | None) -> TrainedCamera | str:
    """The pose, or why there is none."""
    rows = learnt.rows
    if places is None or not np.isfinite(places.focal_per_side[rows]).all():
        return "not all sets give its pose and lens"
    lens, poses = places.focal_per_side[rows], places.base_from_camera[rows]
    if not np.isfinite(poses).all():
        return "not all sets give its pose"
    across = lens[:, 0]
    if (np.ptp(lens, axis=0) > _SAME_LENS * lens.mean(axis=0)).any():
        return f"its lens differs (focal length {across.min():.3g} to {across.max():.3g} widths)"
    focal = np.median(lens, axis=0)
    still = _common(poses)
    if still is not None:
        return _spec(still, focal, mount="base")
    tools = learnt.source.base_from_tool
    if tools is None or not np.isfinite(tools[rows]).all():
        return "it moves, and the tool's pose is unknown"
    if learnt.source.observation.state != "tool":
        return "it moves; expected observation.state: tool, from which its pose could follow"
    on_tool = _common(np.linalg.inv(tools[rows]) @ poses)
    if on_tool is None:
        return "it is fixed neither in the base frame nor to the tool, or was set up differently"
    return _spec(on_tool, focal, mount="tool")


def _common(poses: Poses) -> Float64[np.ndarray, "4 4"] | None:
    """The median pose, if all are near it."""
    middle_m = np.median(poses[:, :3, 3], axis=0)
    off_m = np.linalg.norm(poses[:, :3, 3] - middle_m, axis=1)
    middle = poses[int(off_m.argmin())]
    turn = Rotation.from_matrix(poses[:, :3, :3]) * Rotation.from_matrix(middle[:3, :3]).inv()
    is_one = off_m.max() <= SAME_M and turn.magnitude().max() <= SAME_RAD
    return middle if is_one else None


def _spec(pose: np.ndarray, focal_per_side: np.ndarray, *, mount: str) -> TrainedCamera:
    return TrainedCamera.model_validate(
        {
            "position_m": tuple(pose[:3, 3].tolist()),
            "rotation": tuple(Rotation.from_matrix(pose[:3, :3]).as_rotvec().tolist()),
            "focal_per_width": float(focal_per_side[0]),
            "focal_per_height": float(focal_per_side[1]),
            "mount": mount,
        }
    )
