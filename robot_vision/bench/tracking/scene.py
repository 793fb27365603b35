"""A scene of moving objects in front of a moving pinhole camera, in pure geometry.

World and first camera share REP 103's optical axes: x right, y down, z forward.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from robot_vision.core.types import Camera


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Objects over T frames. `reported` is false for pure occluders, such as a pillar.

    `look` numbers the appearances: look-alikes share one.
    """

    name: str
    frame_rate_hz: float
    camera: Camera
    position_m: Float[np.ndarray, "t n 3"]
    velocity_mps: Float[np.ndarray, "t n 3"]
    size_m: Float[np.ndarray, "n 3"]
    reported: Bool[np.ndarray, " n"]
    look: Int64[np.ndarray, " n"]
    fixed_from_camera: Float[np.ndarray, "t 4 4"]


def pinhole_camera(*, width_px: int, height_px: int, focal_px: float) -> Camera:
    """A camera without distortion, with its principal point at the image centre."""
    intrinsics = np.array(
        [[focal_px, 0.0, width_px / 2], [0.0, focal_px, height_px / 2], [0.0, 0.0, 1.0]]
    )
    return Camera(
        frame_id="camera", width_px=width_px, height_px=height_px, intrinsics_px=intrinsics
    )


def swaying_camera(
    rng: np.random.Generator, *, t: int, frame_rate_hz: float, pan_rad: float, travel_m: float
) -> Float64[np.ndarray, "{t} 4 4"]:
    """Poses (t, 4, 4) of a camera that pans and moves back and forth in sums of slow waves."""
    time_s = np.arange(t)[:, None] / frame_rate_hz
    rate = 2 * np.pi * rng.uniform(0.15, 0.5, 6)
    wave = np.sin(rate * time_s) * rng.uniform(0.5, 1.0, 6)
    yaw, pitch, roll = (wave[:, :3] * pan_rad * np.array([1.0, 0.4, 0.2])).T
    poses = np.tile(np.eye(4), (t, 1, 1))
    poses[:, :3, :3] = rotations(yaw=yaw, pitch=pitch, roll=roll)
    poses[:, :3, 3] = wave[:, 3:] * travel_m * np.array([1.0, 0.3, 0.5])
    return poses


def rotations(
    *,
    yaw: Float64[np.ndarray, " t"],
    pitch: Float64[np.ndarray, " t"],
    roll: Float64[np.ndarray, " t"],
) -> Float64[np.ndarray, "t 3 3"]:
    """Rotations about the optical frame's y (yaw), x (pitch) and z (roll), in this order."""
    t = len(yaw)
    one, zero = np.ones(t), np.zeros(t)
    c, s = np.cos(yaw), np.sin(yaw)
    about_y = np.stack([c, zero, s, zero, one, zero, -s, zero, c], 1).reshape(t, 3, 3)
    c, s = np.cos(pitch), np.sin(pitch)
    about_x = np.stack([one, zero, zero, zero, c, -s, zero, s, c], 1).reshape(t, 3, 3)
    c, s = np.cos(roll), np.sin(roll)
    about_z = np.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).reshape(t, 3, 3)
    return about_y @ about_x @ about_z
