"""Camera poses and camera models."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.types import Camera
from robot_vision.simulation.picture.gl import MjModel, mujoco

FRAME_ID = "camera_color_optical_frame"
# MuJoCo's cameras look along −z with y up; REP 103's optical frames look along z with y down
_MUJOCO_FROM_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Viewpoint:
    """A pinhole camera in the world."""

    camera: Camera
    world_from_camera: Float[np.ndarray, "4 4"]
    fov_y_rad: float

    @property
    def camera_from_world(self) -> Float[np.ndarray, "4 4"]:
        return invert_transform(self.world_from_camera)


def pinhole(size_px: tuple[int, int], fov_y_rad: float) -> Camera:
    """Camera with square pixels; pixel centres are at integers, as in ROS and OpenCV."""
    width_px, height_px = size_px
    focal_px = height_px / 2 / np.tan(fov_y_rad / 2)
    intrinsics = np.array(
        [
            [focal_px, 0, (width_px - 1) / 2],
            [0, focal_px, (height_px - 1) / 2],
            [0, 0, 1],
        ]
    )
    return Camera(
        frame_id=FRAME_ID, width_px=width_px, height_px=height_px, intrinsics_px=intrinsics
    )


def look_at(
    eye_m: Float[np.ndarray, "3"], target_m: Float[np.ndarray, "3"], *, roll_rad: float = 0.0
) -> Float[np.ndarray, "4 4"]:
    """`world_from_camera` of an optical frame at `eye_m` that looks at `target_m`."""
    forward = (target_m - eye_m) / np.linalg.norm(target_m - eye_m)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-6:
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = c * right + s * down, c * down - s * right, forward
    pose[:3, 3] = eye_m
    return pose


def towards(azimuth_rad: float, elevation_rad: float) -> Float[np.ndarray, "3"]:
    """Unit vector at an angle around the vertical from x, and one over the horizontal."""
    return np.array(
        [
            np.cos(elevation_rad) * np.cos(azimuth_rad),
            np.cos(elevation_rad) * np.sin(azimuth_rad),
            np.sin(elevation_rad),
        ]
    )


def draw_viewpoint(
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int],
    centre_m: Float[np.ndarray, "3"],
    radius_m: float,
) -> Viewpoint:
    """A camera 0.45 to 1.8 m away that looks down on the objects within `radius_m` of a centre."""
    fov_y_rad = np.deg2rad(rng.uniform(36, 60))
    fits_m = (radius_m + 0.08) / np.tan(fov_y_rad / 2)
    distance_m = np.clip(fits_m * rng.uniform(0.6, 1.35), 0.45, 1.8)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(18, 80))
    direction = towards(azimuth, elevation)
    target = centre_m + rng.uniform(-0.35, 0.35, 3) * [radius_m, radius_m, 0.1]
    pose = look_at(
        target + distance_m * direction, target, roll_rad=np.deg2rad(rng.normal(0, 2.5))
    )
    return Viewpoint(
        camera=pinhole(size_px, fov_y_rad), world_from_camera=pose, fov_y_rad=float(fov_y_rad)
    )


def quaternion_wxyz(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """Unit quaternion w x y z of a rotation matrix."""
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(rotation).ravel())
    return quaternion


def apply_viewpoint(model: MjModel, viewpoint: Viewpoint) -> None:
    """Move the model's only camera there; takes effect with the next `mj_forward`."""
    world_from_mujoco = viewpoint.world_from_camera @ _MUJOCO_FROM_OPTICAL
    model.cam_pos[0] = world_from_mujoco[:3, 3]
    model.cam_quat[0] = quaternion_wxyz(world_from_mujoco[:3, :3])
    model.cam_fovy[0] = np.rad2deg(viewpoint.fov_y_rad)
