"""Joint limits on a time grid: a motion that keeps to `reach` can always still brake.

A joint moves by `velocity · step_s` in each step, and its velocity changes by no more than
`acceleration · step_s` between two. So braking from v takes the steps v, v − a·t, v − 2a·t, …
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from robot_vision.arm.kinematics import Kinematics
from robot_vision.arm.serial import Joints
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionLimits:
    """Each joint's positions (rad or m), largest speed and acceleration; `step_s` of the grid."""

    lower: Joints
    upper: Joints
    velocity: Joints
    acceleration: Joints
    step_s: float

    def reach(self, position: Joints, velocity: Joints) -> tuple[Joints, Joints]:
        """The smallest and the largest velocity of the next step.

        A joint outside `lower` and `upper` may only move inwards.
        """
        change = self.acceleration * self.step_s
        up = self._fastest(np.maximum(self.upper - position, 0.0))
        down = self._fastest(np.maximum(position - self.lower, 0.0))
        least = np.maximum(velocity - change, -np.minimum(self.velocity, down))
        most = np.minimum(velocity + change, np.minimum(self.velocity, up))
        # Rounding may let the two cross at a limit, where only braking is possible.
        braked = np.sign(velocity) * np.maximum(np.abs(velocity) - change, 0.0)
        return np.minimum(least, braked), np.maximum(most, braked)

    def towards(self, wanted: Joints, position: Joints, velocity: Joints) -> Joints:
        """The velocity of the next step: `wanted`, clipped to the limits.

        All joints are slowed down alike so that the tool keeps its direction, unless a joint
        cannot reverse that fast: then each comes as close as it can.
        """
        least, most = self.reach(position, velocity)
        share = np.ones_like(wanted)
        beyond, below = (wanted > most) & (wanted > 0), (wanted < least) & (wanted < 0)
        share[beyond] = most[beyond] / wanted[beyond]
        share[below] = least[below] / wanted[below]
        scaled = wanted * max(0.0, min(1.0, float(share.min(initial=1.0))))
        return np.minimum(np.maximum(scaled, least), most)

    def cuts(
        self, wanted: Joints, position: Joints, velocity: Joints
    ) -> tuple[int, Literal["position", "velocity", "acceleration"]] | None:
        """The joint that is clipped most, and by which of its limits; None if none is."""
        least, most = self.reach(position, velocity)
        excess = np.maximum(wanted - most, least - wanted) / self.velocity
        joint = int(excess.argmax())
        if excess[joint] <= 1e-6:
            return None
        room = self.upper - position if wanted[joint] > 0 else position - self.lower
        if self._fastest(np.maximum(room, 0.0))[joint] < min(
            abs(wanted[joint]), self.velocity[joint]
        ):
            return joint, "position"
        is_fast = abs(wanted[joint]) > self.velocity[joint]
        return joint, "velocity" if is_fast else "acceleration"

    def stop_from(self, position: Joints, velocity: Joints) -> Joints:
        """Where the joints come to rest if they brake from the next step on."""
        change = self.acceleration * self.step_s
        speed = np.abs(velocity)
        whole = np.floor(speed / change)
        way = self.step_s * (whole * speed - change * whole * (whole + 1) / 2)
        return position + np.sign(velocity) * way

    def approach(self, way: Joints, *, share: float) -> Joints:
        """The fastest velocities from which the joints stop within `way`, in its direction.

        They brake with a `share` of the acceleration; the slowest joint limits all.
        """
        size = np.abs(way)
        fastest = _first_speed(size, share * self.acceleration * self.step_s, self.step_s)
        ratio = np.divide(fastest, size, out=np.full_like(size, np.inf), where=size > 1e-12)
        slowest = float(ratio.min(initial=np.inf))
        return way * (slowest if np.isfinite(slowest) else 0.0)

    def _fastest(self, room: Joints) -> Joints:
        return _first_speed(room, self.acceleration * self.step_s, self.step_s)


def _first_speed(room: Joints, change: Joints, step_s: float) -> Joints:
    """The speed of a first step after which braking by `change` per step ends within `room`.

    With n whole steps of braking the way is step_s · ((n + 1) v − change · n (n + 1) / 2).
    """
    steps = room / (change * step_s)
    whole = np.floor((np.sqrt(1 + 8 * np.minimum(steps, 1e12)) - 1) / 2)
    return change * (steps / (whole + 1) + whole / 2)


def limits_of(kinematics: Kinematics, config: JointSpaceConfig, *, step_s: float) -> MotionLimits:
    """Limits of a chain's joints from its URDF and parameters. Raises `ConfigError`."""
    names = kinematics.joint_names
    said = {joint.name: joint.limits for joint in kinematics.chain}
    lacking = [name for name in names if name not in said]
    if lacking:
        raise ConfigError(
            f"joints {lacking} move the tool only through mimic joints: their limits are not in "
            f"the chain; expected a joint of the chain itself"
        )
    limits = [said[name] for name in names]
    lower = np.array([limit.lower for limit in limits]) + config.position_margin
    upper = np.array([limit.upper for limit in limits]) - config.position_margin
    if narrow := [n for n, a, b in zip(names, lower, upper, strict=True) if not a < b]:
        raise ConfigError(
            f"joints {narrow} have no room between their limits in robot_description and "
            f"joint_space.position_margin = {config.position_margin:g}"
        )
    return MotionLimits(
        lower=lower,
        upper=upper,
        velocity=_velocity(names, [limit.velocity for limit in limits], config),
        acceleration=_acceleration(names, config),
        step_s=step_s,
    )


def _velocity(names: tuple[str, ...], said: list[float], config: JointSpaceConfig) -> Joints:
    if still := [n for n, most in zip(names, said, strict=True) if not most > 0]:
        raise ConfigError(
            f"joints {still} have a velocity limit of 0 or less in robot_description; expected "
            f"what the drives can do"
        )
    velocity = np.array(said)
    velocity[~np.isfinite(velocity)] = config.unlimited_velocity
    return velocity * config.velocity_scale


def _acceleration(names: tuple[str, ...], config: JointSpaceConfig) -> Joints:
    given = config.max_acceleration
    if len(given) not in (1, len(names)):
        raise ConfigError(
            f"joint_space.max_acceleration has {len(given)} numbers; expected one, or one for "
            f"each of {len(names)} joints: {', '.join(names)}"
        )
    return np.broadcast_to(np.array(given, np.float64), (len(names),)).copy()
