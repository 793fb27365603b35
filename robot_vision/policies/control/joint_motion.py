"""Joints follow the stream of tool poses within all their limits, or hold and say why.

Velocities are chosen on a time grid so that the joints can always brake to a standstill within
their limits (`joint_limits`), and this standstill is no nearer to a singularity or to
self-collision than allowed. An arm that is already too near may move away.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.ik import Twist, invert, pose_error
from robot_vision.arm.joint_limits import limits_of
from robot_vision.arm.kinematics import Kinematics
from robot_vision.arm.self_collision import SelfCollision
from robot_vision.arm.serial import Joints, SerialArm
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import JointSpec
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.types import JointCommand, RobotState
from robot_vision.policies.control.jerk_limiter import length
from robot_vision.policies.guards.watchdog import Hold

# Delays beyond this many periods are not made up for: slow is better than a jump.
_MOST_PERIODS = 3.0
# Share of the acceleration used to catch up; the rest is for moving targets.
_APPROACH_SHARE = 0.8
# Degrees of freedom of a tool pose.
_OF_A_POSE = 6
# Encoders may report a joint this far beyond its limit (rad or m).
_BEYOND = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class JointStep:
    """One tick: the command, and the tool pose and twist it implies."""

    command: JointCommand
    base_from_tool: Float64[np.ndarray, "4 4"]
    twist: Twist


class JointMotion:
    """Motion of one arm, given its description. `hold` says why it brakes or stands; None while it
    follows.

    Raises `ConfigError` if the description is unusable. Has no lock: its owner locks.
    """

    def __init__(
        self, kinematics: Kinematics, config: JointSpaceConfig, *, period_s: float
    ) -> None:
        if not kinematics.joint_names:
            raise ConfigError(
                "robot_description has no joint that moves the tool: nothing to command"
            )
        self.arm = SerialArm(kinematics)
        self.limits = limits_of(kinematics, config, step_s=period_s)
        self._config, self._period_s = config, period_s
        self._rest = self._rest_posture()
        self.self_collision = SelfCollision(
            kinematics.robot,
            self.arm,
            self.arm.posture(self._rest),
            margin_m=config.self_collision_m,
        )
        self.stop()

    @property
    def spec(self) -> JointSpec:
        """The joints in order, with the enforced limits."""
        limits = self.limits
        return JointSpec(
            names=self.arm.joint_names,
            lower=tuple(limits.lower.tolist()),
            upper=tuple(limits.upper.tolist()),
            max_velocity=tuple(limits.velocity.tolist()),
            max_acceleration=tuple(limits.acceleration.tolist()),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What cannot be followed, and what self-collision does not check, as text."""
        found = []
        if (count := len(self.arm.joint_names)) < _OF_A_POSE:
            found.append(
                f"{count} joints cannot reach every tool pose: deviations are accepted up to "
                "joint_space.lag_m and lag_rad"
            )
        if not self._config.self_collision_m:
            return tuple(found)
        uncovered, touching = self.self_collision.uncovered, self.self_collision.touching
        pairs = ", ".join(f"{first} and {second}" for first, second in touching)
        if uncovered:
            links = "; ".join(f"{link} ({why})" for link, why in uncovered.items())
            found.append(f"self-collision does not check {links}")
        if touching:
            found.append(f"self-collision ignores links that touch in the rest posture: {pairs}")
        return tuple(found)

    def stop(self) -> None:
        """Stop; nothing moves until started at measured joints."""
        self.hold: Hold | None = None
        self._holding = False
        self._position = self._rest
        self._velocity = np.zeros(len(self._rest))
        self._into_step_s = 0.0

    def start_problem(self, robot: RobotState) -> str:
        """Why commands cannot start at the measured joints; empty if they can."""
        measured = self._measured(robot)
        lacking = [name for name in self.arm.joint_names if name not in measured]
        if lacking:
            return f"joint_states lacks {', '.join(lacking)} of robot_description"
        limits, slack = self.limits, self._config.position_margin + _BEYOND
        names = self.arm.joint_names
        for name, low, high in zip(names, limits.lower, limits.upper, strict=True):
            if not low - slack <= measured[name] <= high + slack:
                return (
                    f"joint {name} is at {measured[name]:.4g}, outside its limits "
                    f"{low - self._config.position_margin:.4g} to "
                    f"{high + self._config.position_margin:.4g}: move it inside them"
                )
        return ""

    def start(self, robot: RobotState) -> Float64[np.ndarray, "4 4"]:
        """Start at rest at the measured joints; returns the resulting tool pose."""
        self.stop()
        measured = self._measured(robot)
        self._position = np.array([measured[name] for name in self.arm.joint_names], np.float64)
        return self.arm.posture(self._position).base_from_tool

    def resume(self) -> bool:
        """Follow again after a hold, once the joints are at rest; returns whether they are."""
        if self.hold is None or self._velocity.any():
            return False
        self.hold = None
        return True

    def advance(
        self,
        passed_s: float,
        base_from_target: Float64[np.ndarray, "4 4"],
        twist: Twist,
        *,
        holding: bool = False,
    ) -> JointStep:
        """The joints `passed_s` after the last tick, towards a tool pose that moves by `twist`.

        While `holding`, redundant joints come to rest as well.
        """
        self._holding = holding
        is_late = passed_s > _MOST_PERIODS * self._period_s
        self._into_step_s += self._period_s if is_late else max(passed_s, 0.0)
        while self._into_step_s >= self._period_s - 1e-9:
            self._into_step_s = max(0.0, self._into_step_s - self._period_s)
            self._step(base_from_target, twist)
        position = self._position + self._velocity * self._into_step_s
        posture = self.arm.posture(position)
        return JointStep(
            command=JointCommand(
                names=self.arm.joint_names, position=position, velocity=self._velocity
            ),
            base_from_tool=posture.base_from_tool,
            twist=posture.jacobian @ self._velocity,
        )

    def _step(self, base_from_target: Float64[np.ndarray, "4 4"], twist: Twist) -> None:
        """Enter the next step of the grid with a velocity that all limits allow."""
        self._position, _ = self._next()
        if self.hold is None:
            self.hold = self._follow(base_from_target, twist)
        if self.hold is not None:
            self._velocity = self._cut(np.zeros_like(self._velocity))

    def _next(self) -> tuple[Joints, Joints]:
        """Positions and velocities of the joints at the end of the step."""
        return self._position + self._velocity * self._period_s, self._velocity

    def _cut(self, wanted: Joints) -> Joints:
        return self.limits.towards(wanted, self._position, self._velocity)

    def _follow(self, base_from_target: Float64[np.ndarray, "4 4"], twist: Twist) -> Hold | None:
        """Enter the step towards the target, or return why not and change nothing."""
        config, posture = self._config, self.arm.posture(self._position)
        inverse = invert(posture, damping=config.damping, damped_below=config.damped_below)
        error = pose_error(posture.base_from_tool, base_from_target)
        behind = inverse.joints_from_twist @ error
        wanted = inverse.joints_from_twist @ twist
        wanted = wanted + self.limits.approach(behind, share=_APPROACH_SHARE)
        if length(error[:3]) > config.lag_m or length(error[3:]) > config.lag_rad:
            missing = error - posture.jacobian @ behind
            return self._lag(error, wanted, inverse.least_singular, missing)
        if self._holding:
            return self._take(wanted)
        spare = inverse.null_space @ (config.rest_rate * (self._rest - self._position))
        # Redundant joints stay if they would come too near.
        return self._take(wanted + spare) and self._take(wanted)

    def _take(self, wanted: Joints) -> Hold | None:
        """Enter the step with a velocity, cut to the limits, or return why not."""
        velocity = self._cut(wanted)
        if velocity.any() or self._velocity.any():
            stop = self.limits.stop_from(self._position + velocity * self._period_s, velocity)
            braked = self.limits.stop_from(self._position, self._velocity)
            if (hold := self._too_near(stop, braked)) is not None:
                return hold
        self._velocity = velocity
        return None

    def _too_near(self, stop: Joints, braked: Joints) -> Hold | None:
        """Why not to come to rest at `stop`, if that is worse than at `braked`."""
        config, posture = self._config, self.arm.posture(stop)
        least = posture.least_singular if config.singular_below else np.inf
        if least < config.singular_below and least < self.arm.posture(braked).least_singular:
            words = f"the arm is at a singularity (smallest singular value {least:.3g} m)"
            return Hold(cause="singularity", reason=words)
        if not config.self_collision_m:
            return None
        apart_m, (first, second) = self.self_collision.nearest(posture)
        if apart_m >= config.self_collision_m:
            return None
        if apart_m >= self.self_collision.nearest(self.arm.posture(braked))[0]:
            return None
        words = f"links {first} and {second} would be {max(apart_m, 0.0):.3g} m apart"
        return Hold(cause="self_collision", reason=words)

    def _lag(self, error: Twist, wanted: Joints, least_singular: float, missing: Twist) -> Hold:
        """Why the tool cannot follow: too few joints, a joint limit, or a singularity.

        `missing` is the part of the error that no joint can reduce.
        """
        away = f"{length(error[:3]):.3g} m and {length(error[3:]):.3g} rad behind the stream"
        config, count = self._config, len(self.arm.joint_names)
        is_missing = length(missing[:3]) > config.lag_m or length(missing[3:]) > config.lag_rad
        if count < _OF_A_POSE and is_missing:
            words = f"{count} joints cannot move or rotate the tool that way: {away}"
            return Hold(cause="too_few_joints", reason=words)
        if (found := self.limits.cuts(wanted, self._position, self._velocity)) is not None:
            joint, limit = found
            words = f"joint {self.arm.joint_names[joint]} is at its {limit} limit: {away}"
            return Hold(cause=f"joint_{limit}", reason=words)
        if least_singular < config.damped_below:
            return Hold(cause="singularity", reason=f"the arm is near a singularity: {away}")
        return Hold(cause="joint_lag", reason=f"the joints are {away}")

    @staticmethod
    def _measured(robot: RobotState) -> dict[str, float]:
        return dict(zip(robot.joint_names, robot.joint_position_rad.tolist(), strict=False))

    def _rest_posture(self) -> Joints:
        given, count = self._config.rest, len(self.arm.joint_names)
        low, high = self.limits.lower, self.limits.upper
        if not given:
            bounded = np.isfinite(low) & np.isfinite(high)
            return np.where(
                bounded, (np.where(bounded, low, 0) + np.where(bounded, high, 0)) / 2, 0.0
            )
        if len(given) != count:
            raise ConfigError(
                f"joint_space.rest has {len(given)} positions; expected one for each of the "
                f"{count} joints: {', '.join(self.arm.joint_names)}"
            )
        return np.clip(np.array(given, np.float64), low, high)
