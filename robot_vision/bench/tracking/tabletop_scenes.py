"""Objects on a table in front of a robot's camera; everything is generated from a seed."""

import numpy as np

from robot_vision.bench.tracking.scene import Scene, pinhole_camera, swaying_camera

# A typical robot depth camera, 56° wide.
ROBOT_CAMERA = pinhole_camera(width_px=640, height_px=480, focal_px=600.0)


def crossings(seed: int) -> Scene:
    """Ten objects moving left and right at different depths, occluding each other."""
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
    moving = swaying_camera(rng, t=t, frame_rate_hz=30.0, pan_rad=0.25, travel_m=0.15)
    return _tabletop(
        "camera motion", rng, position=position, velocity=velocity, fixed_from_camera=moving
    )


def look_alikes(seed: int) -> Scene:
    """Ten objects with only two appearances, crossing each other."""
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
    """Objects of 6 to 16 cm in front of the robot's camera at 30 FPS, and their occluders."""
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
        camera=ROBOT_CAMERA,
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
    """Objects that move left and right between soft walls, with some random drift."""
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
