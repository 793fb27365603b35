"""Motion in a sequence: objects that are pushed, rolled or carried, and the camera.

Everything is a function of simulated time, so that a sequence does not depend on the frame rate.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.picture.scene import PARKED_M, TIMESTEP_S, Item, Scene
from robot_vision.simulation.picture.viewpoint import Viewpoint, look_at, pinhole, towards

GRASPABLE = ("ball", "banana", "block", "can", "tool")
_GRIP_ABOVE_M = 0.8  # height from which the gripper descends: outside most views
_APPROACH_S, _LIFT_S, _ACROSS_S = 0.8, 0.7, 1.2
_LEAN_RAD = 0.5
_PUSH_GAIN_HZ, _PUSH_MAX_MPS2 = 80.0, 20.0  # gain of the hand that maintains a velocity
_HARMONICS = np.array([1, 1.3, 0.7, 1.7])  # of the camera's sway
CARRY_S = 2 * (_APPROACH_S + _LIFT_S) + _ACROSS_S


@dataclass(frozen=True, kw_only=True, eq=False)
class Push:
    """An item is pushed over the table for a while; a ball is only set rolling."""

    item: Item
    start_s: float
    duration_s: float
    velocity_mps: Float[np.ndarray, "2"]

    def apply(self, scene: Scene, time_s: float) -> None:
        """Act on the scene at `time_s`."""
        since_s = time_s - self.start_s
        if not 0 <= since_s < self.duration_s:
            return
        velocity = scene.data.qvel[_velocity_slice(scene, self.item)]
        if self.item.class_name == "ball":
            if since_s < TIMESTEP_S:
                radius_m = self.item.shape.half_size_m[2]
                velocity[:2] = self.velocity_mps
                velocity[3:] = _rolling(scene, self.item, self.velocity_mps / radius_m)
            return
        wanted_mps = self.velocity_mps * np.sin(np.pi * since_s / self.duration_s)
        push_mps2 = _PUSH_GAIN_HZ * (wanted_mps - velocity[:2])
        push_mps2 *= min(1.0, _PUSH_MAX_MPS2 / max(float(np.linalg.norm(push_mps2)), 1e-9))
        body = self.item.body_id
        scene.data.xfrc_applied[body, :2] = scene.model.body_mass[body] * push_mps2


@dataclass(eq=False)
class Carry:
    """The gripper comes down on an item, lifts it, and puts it elsewhere."""

    item: Item
    start_s: float
    target_m: Float[np.ndarray, "2"]
    gripper_wxyz: Float[np.ndarray, "4"]
    _grasped: Float[np.ndarray, "7"] | None = None

    def apply(self, scene: Scene, time_s: float) -> None:
        """Move gripper and item to where they are at `time_s`."""
        since_s = time_s - self.start_s
        if not 0 <= since_s < CARRY_S:
            return
        start = self._grasped
        if start is None or since_s < _APPROACH_S:
            start = self._grasped = scene.data.qpos[position_slice(scene, self.item)].copy()
        lift_m, across = self._progress(since_s)
        held = start.copy()
        held[:2] += across * (self.target_m - held[:2])
        held[2] += lift_m
        if _APPROACH_S <= since_s < CARRY_S - _APPROACH_S:
            scene.data.qpos[position_slice(scene, self.item)] = held
            scene.data.qvel[_velocity_slice(scene, self.item)] = self._velocity(start, since_s)
        body = scene.model.body("gripper").mocapid[0]
        scene.data.mocap_pos[body] = held[:3] + np.array([0, 0, self._clearance(since_s)])
        scene.data.mocap_quat[body] = self.gripper_wxyz

    def _velocity(self, start: Float[np.ndarray, "7"], since_s: float) -> Float[np.ndarray, "6"]:
        """Linear (m/s) and angular velocity of the item while held."""
        lift_m, across = self._progress(since_s)
        next_lift_m, next_across = self._progress(since_s + TIMESTEP_S)
        moved_m = np.array([*((next_across - across) * (self.target_m - start[:2])), 0.0])
        moved_m[2] = next_lift_m - lift_m
        return np.concatenate([moved_m / TIMESTEP_S, np.zeros(3)])

    def _progress(self, since_s: float) -> tuple[float, float]:
        """Height above the grasp (metres) and fraction of the path across."""
        lifted = _ease((since_s - _APPROACH_S) / _LIFT_S)
        lowered = _ease((since_s - _APPROACH_S - _LIFT_S - _ACROSS_S) / _LIFT_S)
        return 0.15 * (lifted - lowered), _ease((since_s - _APPROACH_S - _LIFT_S) / _ACROSS_S)

    def _clearance(self, since_s: float) -> float:
        """Height of the tool point above the item's centre, as the gripper approaches and
        leaves."""
        come = 1 - _ease(since_s / _APPROACH_S)
        go = _ease((since_s - CARRY_S + _APPROACH_S) / _APPROACH_S)
        return _GRIP_ABOVE_M * max(come, go) - 0.005


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraPath:
    """A camera that sways around the objects on the table."""

    centre_m: Float[np.ndarray, "3"]
    distance_m: float
    azimuth_rad: float
    elevation_rad: float
    fov_y_rad: float
    sway_rad: float
    period_s: float
    phase_rad: Float[np.ndarray, "4"]
    size_px: tuple[int, int]

    def at(self, time_s: float) -> Viewpoint:
        """The camera's pose at `time_s`."""
        swing = np.sin(2 * np.pi * time_s / self.period_s * _HARMONICS + self.phase_rad)
        azimuth = self.azimuth_rad + self.sway_rad * swing[0]
        elevation = self.elevation_rad + 0.3 * self.sway_rad * swing[1]
        direction = towards(azimuth, elevation)
        target = self.centre_m + np.array([0.03 * swing[3], 0.02 * swing[2], 0.03])
        eye = target + self.distance_m * (1 + 0.08 * swing[2]) * direction
        return Viewpoint(
            camera=pinhole(self.size_px, self.fov_y_rad),
            world_from_camera=look_at(eye, target, roll_rad=0.02 * float(swing[3])),
            fov_y_rad=self.fov_y_rad,
        )


def let_go(scene: Scene) -> None:
    """Push nothing, and take the gripper out of sight, until a motion acts again."""
    scene.data.xfrc_applied[:] = 0
    scene.data.mocap_pos[scene.model.body("gripper").mocapid[0]] = PARKED_M


def draw_camera_path(
    scene: Scene, rng: np.random.Generator, *, size_px: tuple[int, int]
) -> CameraPath:
    """A hand-held or wrist-mounted camera that keeps the objects in view."""
    centre_m, radius_m = scene.extent()
    fov_y_rad = float(np.deg2rad(rng.uniform(40, 56)))
    return CameraPath(
        centre_m=centre_m,
        distance_m=float(np.clip((radius_m + 0.1) / np.tan(fov_y_rad / 2), 0.55, 1.4)),
        azimuth_rad=rng.uniform(0, 2 * np.pi),
        elevation_rad=np.deg2rad(rng.uniform(30, 55)),
        fov_y_rad=fov_y_rad,
        sway_rad=np.deg2rad(rng.uniform(6, 14)),
        period_s=rng.uniform(5, 9),
        phase_rad=rng.uniform(0, 2 * np.pi, 4),
        size_px=size_px,
    )


def draw_motions(
    scene: Scene, rng: np.random.Generator, *, seconds: float, camera_azimuth_rad: float
) -> list[Push | Carry]:
    """About two pushes per second, and objects carried one after another if time allows."""
    on_table = [item for item in scene.items if scene.data.xpos[item.body_id][2] > -0.02]
    gripper_wxyz = _leaning(camera_azimuth_rad + np.pi)
    carries = [
        Carry(item=item, start_s=start_s, target_m=target_m, gripper_wxyz=gripper_wxyz)
        for item, start_s, target_m in _draw_carries(scene, on_table, rng, seconds=seconds)
    ]
    carried = [carry.item for carry in carries]
    free = [item for item in on_table if item not in carried]
    pushes = []
    for start_s in np.arange(0.2, seconds, 0.5) if free else ():
        item = free[int(rng.integers(len(free)))]
        target_m = rng.uniform(-0.8, 0.8, 2) * scene.spread_m
        way_m = target_m - scene.data.xpos[item.body_id][:2]
        speed_mps = rng.uniform(0.5, 0.9) if item.class_name == "ball" else rng.uniform(0.35, 0.6)
        pushes.append(
            Push(
                item=item,
                start_s=float(start_s + rng.uniform(0, 0.4)),
                duration_s=rng.uniform(0.7, 1.3),
                velocity_mps=speed_mps * way_m / max(np.linalg.norm(way_m), 1e-6),
            )
        )
    return [*pushes, *carries]


def _draw_carries(
    scene: Scene, items: list[Item], rng: np.random.Generator, *, seconds: float
) -> list[tuple[Item, float, Float[np.ndarray, "2"]]]:
    """Items to carry, their start times and free target places."""
    graspable = [item for item in items if item.class_name in GRASPABLE]
    order = rng.permutation(len(graspable))
    taken = np.array([scene.data.xpos[item.body_id][:2] for item in scene.items])
    carries = []
    for row, start_s in zip(order, np.arange(0.3, seconds - CARRY_S, CARRY_S + 0.3), strict=False):
        places = rng.uniform(-0.7, 0.7, (32, 2)) * scene.spread_m
        clearance = np.linalg.norm(places[:, None] - taken[None], axis=2).min(axis=1)
        target = places[clearance.argmax()]
        taken = np.vstack([taken, target])
        carries.append((graspable[row], float(start_s), target))
    return carries


def _leaning(azimuth_rad: float) -> Float[np.ndarray, "4"]:
    """Quaternion w x y z that tilts the vertical towards an azimuth, out of the camera's view."""
    half = _LEAN_RAD / 2
    axis = np.array([-np.sin(azimuth_rad), np.cos(azimuth_rad), 0.0])
    return np.array([np.cos(half), *(np.sin(half) * axis)])


def _ease(progress: float) -> float:
    """Smooth step from 0 to 1, at rest at both ends."""
    p = min(max(progress, 0.0), 1.0)
    return p * p * (3 - 2 * p)


def _rolling(scene: Scene, item: Item, turn_rps: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3"]:
    """Angular velocity, in the item's own frame, of rolling along x and y at these rates."""
    world = np.array([-turn_rps[1], turn_rps[0], 0.0])
    return scene.data.xmat[item.body_id].reshape(3, 3).T @ world


def position_slice(scene: Scene, item: Item) -> slice:
    """The slice of an item's position (3) and quaternion (4) in MuJoCo's `qpos`."""
    start = int(scene.model.jnt_qposadr[scene.model.body_jntadr[item.body_id]])
    return slice(start, start + 7)


def _velocity_slice(scene: Scene, item: Item) -> slice:
    start = int(scene.model.jnt_dofadr[scene.model.body_jntadr[item.body_id]])
    return slice(start, start + 6)
