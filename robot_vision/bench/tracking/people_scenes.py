"""Pedestrians, seen from above a street or at eye level; everything is generated from a seed."""

import numpy as np

from robot_vision.bench.tracking.scene import Scene, pinhole_camera, rotations, swaying_camera

STREET_CAMERA = pinhole_camera(width_px=1920, height_px=1080, focal_px=1400.0)
# At eye level, so that people occlude each other; the frame rate of public sequences.
SIDEWALK_CAMERA = pinhole_camera(width_px=640, height_px=480, focal_px=700.0)
SIDEWALK_HZ = 25.0


def pedestrians(seed: int) -> Scene:
    """People in a street before a fixed camera, as in MOTChallenge."""
    return _street("pedestrians", np.random.default_rng([seed, 6]), travelling=False)


def pedestrians_moving(seed: int) -> Scene:
    """People in a street seen from a camera that is carried along it."""
    return _street("pedestrians, moving", np.random.default_rng([seed, 7]), travelling=True)


def sidewalk(seed: int) -> Scene:
    """Some ten people who cross before a camera at eye level, alone and in pairs."""
    rng = np.random.default_rng([seed, 8])
    t, n = 180, int(rng.integers(8, 12))
    position, velocity = _cross(rng, t=t, n=n)
    size = np.stack([rng.uniform(0.5, 0.8, n), rng.uniform(1.55, 1.9, n), np.full(n, 0.4)], 1)
    position[..., 1] = rng.uniform(1.4, 2.2) - size[:, 1] / 2
    return Scene(
        name="sidewalk",
        frame_rate_hz=SIDEWALK_HZ,
        camera=SIDEWALK_CAMERA,
        position_m=position,
        velocity_mps=velocity,
        size_m=size,
        reported=np.ones(n, bool),
        look=np.arange(n),
        fixed_from_camera=np.tile(np.eye(4), (t, 1, 1)),
    )


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
        poses = swaying_camera(rng, t=t, frame_rate_hz=rate_hz, pan_rad=0.06, travel_m=0.05)
        poses[:, 2, 3] += np.linspace(0, rng.uniform(0.4, 1.2) * t / rate_hz, t)
    tilt = rotations(yaw=np.zeros(1), pitch=np.array([-0.08 * height_m / 2]), roll=np.zeros(1))
    poses[:, :3, :3] = poses[:, :3, :3] @ tilt[0]
    return Scene(
        name=name,
        frame_rate_hz=rate_hz,
        camera=STREET_CAMERA,
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


def _cross(rng: np.random.Generator, *, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Walks to the left and to the right at 4 to 10 m.

    Pairs walk side by side. Speeds vary with the steps; some people stand, slow down, stop for a
    while and continue, or turn around.
    """
    dt_s = 1 / SIDEWALK_HZ
    time_s = np.arange(t)[:, None] * dt_s
    leader = np.where(rng.random(n) < 0.25, np.maximum(np.arange(n) - 1, 0), np.arange(n))
    leader = leader[leader]
    cruise_mps = np.clip(rng.normal(1.25, 0.3, n), 0.5, 2.0) * rng.choice([-1, 1], n)
    cruise_mps = (cruise_mps * (rng.random(n) > 0.1))[leader]
    z = rng.uniform(4.0, 10.0, n)
    half_width_m = SIDEWALK_CAMERA.width_px / SIDEWALK_CAMERA.fx_px / 2 * z
    # Walkers stay in view for a while: this is the middle of the walk, not its start.
    x = (
        rng.uniform(-0.9, 0.9, n) * half_width_m
        - cruise_mps * rng.uniform(0.1, 0.9, n) * time_s[-1]
    )
    beside = np.stack([rng.normal(0.0, 0.35, n), rng.normal(0.0, 0.4, n)], axis=1)
    beside *= (leader != np.arange(n))[:, None]
    pace = _paces(rng, time_s, n=n)[:, leader]
    step = 1 + rng.uniform(0.05, 0.15, n) * np.sin(
        2 * np.pi * (rng.uniform(1.6, 2.2, n) * time_s + rng.random(n))
    )
    slant = np.clip(rng.normal(0.0, 0.2, n), -0.4, 0.4)[leader]
    velocity = np.zeros((t, n, 3))
    velocity[..., 0] = cruise_mps * pace * step
    velocity[..., 2] = slant * velocity[..., 0]
    position = np.cumsum(velocity, axis=0) * dt_s
    position[..., 0] += x[leader] + beside[:, 0]
    position[..., 2] = np.maximum(position[..., 2] + z[leader] + beside[:, 1], 3.0)
    return position, velocity


def _paces(rng: np.random.Generator, time_s: np.ndarray, *, n: int) -> np.ndarray:
    """Factors (t, n) of the speed: 1, and another for a while after some moment."""
    other = rng.choice([1.0, 0.0, 0.4, 1.5, -1.0], n, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    begin_s = rng.uniform(1.0, time_s[-1, 0], n)
    last_s = np.where(other < 0, np.inf, rng.uniform(0.8, 3.0, n))
    wanted = np.where((time_s >= begin_s) & (time_s < begin_s + last_s), other, 1.0)
    pace = np.ones_like(wanted)
    for k in range(1, len(time_s)):
        pace[k] = pace[k - 1] + (wanted[k] - pace[k - 1]) / (0.3 * SIDEWALK_HZ)
    return pace
