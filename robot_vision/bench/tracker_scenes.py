"""Scenes of moving objects in front of a moving pinhole camera, in pure geometry.

Everything is drawn from a seed. World and first camera share REP 103's optical axes: x right,
y down, z forward.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from robot_vision.core.types import Camera


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Objects over T frames. `reported` is false for what only occludes, such as a pillar.

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


def robot_camera() -> Camera:
    """A depth camera as robots carry: 640×480, 56° wide."""
    return _camera(width_px=640, height_px=480, focal_px=600.0)


def street_camera() -> Camera:
    """A surveillance camera in full HD."""
    return _camera(width_px=1920, height_px=1080, focal_px=1400.0)


def _camera(*, width_px: int, height_px: int, focal_px: float) -> Camera:
    intrinsics = np.array(
        [[focal_px, 0.0, width_px / 2], [0.0, focal_px, height_px / 2], [0.0, 0.0, 1.0]]
    )
    return Camera(
        frame_id="camera", width_px=width_px, height_px=height_px, intrinsics_px=intrinsics
    )


def crossings(seed: int) -> Scene:
    """Ten objects going left and right at different depths, passing before each other."""
    rng = np.random.default_rng([seed, 1])
    n, t = 10, 300
    z = rng.uniform(0.8, 2.0, n)
    speed = rng.uniform(0.15, 0.5, n) * rng.choice([-1, 1], n)
    position, velocity = _bounce(rng, t=t, z=z, speed=speed, half_width_m=0.42)
    return _tabletop("crossings", rng, position=position, velocity=velocity)


def occlusions(seed: int) -> Scene:
    """Six objects passing behind pillars that hide them for 0.2 to 2 s."""
    rng = np.random.default_rng([seed, 2])
    n, t = 6, 360
    z = rng.uniform(1.4, 2.0, n)
    speed = rng.uniform(0.15, 0.4, n) * rng.choice([-1, 1], n)
    position, velocity = _bounce(rng, t=t, z=z, speed=speed, half_width_m=0.45)
    width_m = rng.uniform(0.08, 0.3, 3)
    pillars = np.zeros((3, 3))
    pillars[:, 0] = np.array([-0.3, 0.0, 0.3]) + rng.uniform(-0.05, 0.05, 3)
    pillars[:, 2] = 1.0
    size = np.stack([width_m, np.full(3, 1.5), np.full(3, 0.05)], axis=1)
    return _tabletop(
        "occlusions", rng, position=position, velocity=velocity, pillars=(pillars, size)
    )


def camera_motion(seed: int) -> Scene:
    """Twelve objects, half of them at rest, seen by a camera that pans, tilts and travels."""
    rng = np.random.default_rng([seed, 3])
    n, t = 12, 300
    z = rng.uniform(0.7, 2.0, n)
    speed = np.where(np.arange(n) % 2, rng.uniform(-0.4, 0.4, n), 0.0)
    position, velocity = _bounce(rng, t=t, z=z, speed=speed, half_width_m=0.7)
    moving = _swaying_camera(rng, t=t, frame_rate_hz=30.0, pan_rad=0.25, travel_m=0.15)
    return _tabletop(
        "camera motion", rng, position=position, velocity=velocity, fixed_from_camera=moving
    )


def look_alikes(seed: int) -> Scene:
    """Ten objects of two looks only, crossing each other."""
    rng = np.random.default_rng([seed, 4])
    n, t = 10, 300
    z = rng.uniform(0.9, 1.8, n)
    speed = rng.uniform(0.1, 0.5, n) * rng.choice([-1, 1], n)
    position, velocity = _bounce(rng, t=t, z=z, speed=speed, half_width_m=0.4)
    look = np.arange(n) % 2
    return _tabletop("look-alikes", rng, position=position, velocity=velocity, look=look)


def leaving(seed: int) -> Scene:
    """Eight objects that leave the image for up to two seconds and come back."""
    rng = np.random.default_rng([seed, 5])
    n, t = 8, 450
    z = rng.uniform(0.8, 1.8, n)
    speed = rng.uniform(0.2, 0.5, n) * rng.choice([-1, 1], n)
    half_width_m = 0.533 * z + 0.06 + rng.uniform(0.0, 0.25, n)
    position, velocity = _bounce(rng, t=t, z=z, speed=speed, half_width_m=half_width_m)
    return _tabletop("leaving", rng, position=position, velocity=velocity)


def pedestrians(seed: int) -> Scene:
    """People in a street before a fixed camera, as in MOTChallenge."""
    return _street("pedestrians", np.random.default_rng([seed, 6]), travelling=False)


def pedestrians_moving(seed: int) -> Scene:
    """People in a street seen from a camera that is carried along it."""
    return _street("pedestrians, moving", np.random.default_rng([seed, 7]), travelling=True)


SCENES: dict[str, Callable[[int], Scene]] = {
    "crossings": crossings,
    "occlusions": occlusions,
    "camera motion": camera_motion,
    "look-alikes": look_alikes,
    "leaving": leaving,
    "pedestrians": pedestrians,
    "pedestrians, moving": pedestrians_moving,
}


def _tabletop(
    name: str,
    rng: np.random.Generator,
    *,
    position: np.ndarray,
    velocity: np.ndarray,
    look: np.ndarray | None = None,
    pillars: tuple[np.ndarray, np.ndarray] | None = None,
    fixed_from_camera: np.ndarray | None = None,
) -> Scene:
    """Things of 6 to 16 cm before the robot's camera at 30 FPS, and what hides them."""
    t, n = position.shape[:2]
    size = rng.uniform(0.06, 0.16, (n, 3))
    look = np.arange(n) if look is None else look
    reported = np.ones(n, bool)
    if pillars is not None:
        k = len(pillars[0])
        position = np.concatenate([position, np.broadcast_to(pillars[0], (t, k, 3))], axis=1)
        velocity = np.concatenate([velocity, np.zeros((t, k, 3))], axis=1)
        size = np.concatenate([size, pillars[1]])
        look = np.concatenate([look, n + np.arange(k)])
        reported = np.concatenate([reported, np.zeros(k, bool)])
    return Scene(
        name=name,
        frame_rate_hz=30.0,
        camera=robot_camera(),
        position_m=position,
        velocity_mps=velocity,
        size_m=size,
        reported=reported,
        look=look,
        fixed_from_camera=np.tile(np.eye(4), (t, 1, 1))
        if fixed_from_camera is None
        else fixed_from_camera,
    )


def _bounce(
    rng: np.random.Generator,
    *,
    t: int,
    z: np.ndarray,
    speed: np.ndarray,
    half_width_m: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Objects that travel left and right between soft walls, with some wander of their own."""
    n, dt_s = len(z), 1 / 30
    limit = np.broadcast_to(half_width_m, (n,))
    position = np.stack([rng.uniform(-0.8, 0.8, n) * limit, rng.uniform(-0.25, 0.25, n), z], 1)
    velocity = np.stack([speed, np.zeros(n), np.zeros(n)], 1)
    home, cruise = position.copy(), np.abs(speed)
    positions, velocities = np.zeros((t, n, 3)), np.zeros((t, n, 3))
    wander = 0.05 * (cruise > 0)[:, None]
    for k in range(t):
        positions[k], velocities[k] = position, velocity
        push = np.zeros((n, 3))
        beyond = np.abs(position[:, 0]) > limit
        push[:, 0] = -np.sign(position[:, 0]) * beyond * 6 * cruise
        steer = np.sign(velocity[:, 0]) * cruise - velocity[:, 0]
        push[:, 0] += np.where(beyond, 0.0, steer)
        push[:, 1:] = 0.5 * (home - position)[:, 1:] - 0.5 * velocity[:, 1:]
        push += wander * rng.normal(size=(n, 3)) / np.sqrt(dt_s)
        velocity = velocity + push * dt_s
        position = position + velocity * dt_s
    return positions, velocities


def _swaying_camera(
    rng: np.random.Generator, *, t: int, frame_rate_hz: float, pan_rad: float, travel_m: float
) -> np.ndarray:
    time_s = np.arange(t)[:, None] / frame_rate_hz
    rate = 2 * np.pi * rng.uniform(0.15, 0.5, 6)
    wave = np.sin(rate * time_s) * rng.uniform(0.5, 1.0, 6)
    yaw, pitch, roll = (wave[:, :3] * pan_rad * np.array([1.0, 0.4, 0.2])).T
    poses = np.tile(np.eye(4), (t, 1, 1))
    poses[:, :3, :3] = _rotations(yaw=yaw, pitch=pitch, roll=roll)
    poses[:, :3, 3] = wave[:, 3:] * travel_m * np.array([1.0, 0.3, 0.5])
    return poses


def _rotations(*, yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
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


def _street(name: str, rng: np.random.Generator, *, travelling: bool) -> Scene:
    """People of 1.5 to 1.9 m, alone and in pairs, who walk, turn, stop and meet."""
    t, rate_hz = 360, 30.0
    n = int(rng.integers(12, 30))
    height_m = rng.uniform(1.6, 3.5)
    position, velocity = _walk(rng, t=t, n=n, rate_hz=rate_hz)
    size = np.stack([rng.uniform(0.5, 0.8, n), rng.uniform(1.5, 1.9, n), np.full(n, 0.4)], 1)
    position[..., 1] = height_m - size[:, 1] / 2
    poses = np.tile(np.eye(4), (t, 1, 1))
    if travelling:
        poses = _swaying_camera(rng, t=t, frame_rate_hz=rate_hz, pan_rad=0.06, travel_m=0.05)
        poses[:, 2, 3] += np.linspace(0, rng.uniform(0.4, 1.2) * t / rate_hz, t)
    tilt = _rotations(yaw=np.zeros(1), pitch=np.array([-0.08 * height_m / 2]), roll=np.zeros(1))
    poses[:, :3, :3] = poses[:, :3, :3] @ tilt[0]
    return Scene(
        name=name,
        frame_rate_hz=rate_hz,
        camera=street_camera(),
        position_m=position,
        velocity_mps=velocity,
        size_m=size,
        reported=np.ones(n, bool),
        look=np.arange(n),
        fixed_from_camera=poses,
    )


def _walk(
    rng: np.random.Generator, *, t: int, n: int, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    dt_s = 1 / rate_hz
    leader = np.where(rng.random(n) < 0.3, np.maximum(np.arange(n) - 1, 0), np.arange(n))
    z = rng.uniform(4.0, 22.0, n)
    position = np.stack([rng.uniform(-0.7, 0.7, n) * z, np.zeros(n), z], 1)
    heading = rng.choice([0.0, np.pi], n) + rng.normal(0, 0.5, n)
    heading, position = heading[leader], position[leader] + rng.normal(0, 0.5, (n, 3))
    speed = np.abs(rng.normal(1.2, 0.4, n))[leader] * (rng.random(n) > 0.15)
    positions, velocities = np.zeros((t, n, 3)), np.zeros((t, n, 3))
    velocity = speed[:, None] * np.stack([np.cos(heading), np.zeros(n), np.sin(heading)], 1)
    for k in range(t):
        positions[k], velocities[k] = position, velocity
        heading = heading + 0.3 * np.sqrt(dt_s) * rng.normal(size=n)
        turns = rng.random(n) < 0.02 * dt_s * 10
        heading = heading + turns * rng.normal(0, 1.0, n)
        wanted = speed[:, None] * np.stack([np.cos(heading), np.zeros(n), np.sin(heading)], 1)
        velocity = velocity + (wanted - velocity) * dt_s / 0.4
        position = position + velocity * dt_s
    return positions, velocities
