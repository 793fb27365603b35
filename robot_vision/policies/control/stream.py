"""Turns targets into a stream of poses within all limits, whatever the targets do.

The position's leader always moves such that it can still brake inside the workspace. Braking is
along a straight line, and the workspace is convex: it contains the line if it contains its ends. A
rotation is treated like a position: as the integral of its angular velocity.

A halt brakes harder: at once and along a straight line, with the full acceleration and no jerk
limit. If that line would leave the workspace, the leader brakes instead.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.core import quaternions
from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.policies.control.chunk import Target
from robot_vision.policies.control.jerk_limiter import Follower, Limits, Vector, length

# The velocity of a finite rotation differs slightly from its rotation vector's derivative.
_TURN_SHARE = 0.97
# Delays beyond this many periods are not made up for: slow is better than a jump.
_MOST_PERIODS = 3.0
# A line along the border may end slightly outside due to rounding.
_ROUNDING_M = 1e-10
# Bisection steps between pursuing the target and braking.
_HALVINGS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Streamed:
    """A pose of the stream, its velocity (m/s and rad/s, base axes), and the limits it met."""

    position_m: Vector
    quaternion: Float[np.ndarray, "4"]
    twist: Float[np.ndarray, "6"]
    met: frozenset[str]


class Stream:
    """A tool that starts at rest at a pose and follows targets within the limits.

    From a start outside the workspace it only moves inwards; the caller limits how far outside.
    """

    def __init__(
        self,
        *,
        position_m: Vector,
        quaternion: Float[np.ndarray, "4"],
        safety: SafetyConfig,
        period_s: float,
        follow_s: float,
    ) -> None:
        self._period_s = period_s
        self._place = Follower(
            position_m,
            limits=Limits(
                speed=safety.max_speed_mps,
                acceleration=safety.max_acceleration_mps2,
                jerk=safety.max_jerk_mps3,
            ),
            step_s=period_s,
            follow_s=follow_s,
        )
        self._turn = Follower(
            np.zeros(3),
            limits=Limits(
                speed=_TURN_SHARE * safety.max_turn_radps,
                acceleration=_TURN_SHARE * safety.max_turn_radps2,
                jerk=_TURN_SHARE * safety.max_turn_radps3,
            ),
            step_s=period_s,
            follow_s=follow_s,
        )
        self._low = np.array(safety.workspace_min_m, np.float64)
        self._high = np.array(safety.workspace_max_m, np.float64)
        self._room = np.minimum(self._low, position_m), np.maximum(self._high, position_m)
        # The rotation at the beginning of the step, and the time since then.
        self._quaternion = quaternion
        self._into_step_s = 0.0
        self.lead_s = self._place.window_s / 2 + follow_s

    def advance(self, passed_s: float, target: Target | None, *, halt: bool = False) -> Streamed:
        """The pose `passed_s` after the last one; without a (finite) target it brakes and stays.

        With `halt` it brakes within speed over acceleration, whatever the target.

        Targets should be those `lead_s` from now: the stream lags slow targets by that much. It
        follows targets that move fast enough to need braking a few hundredths of a second later.
        """
        met: set[str] = set()
        if halt or (target is not None and not _is_finite(target)):
            target = None
        is_late = passed_s > _MOST_PERIODS * self._period_s
        self._into_step_s += self._period_s if is_late else max(passed_s, 0.0)
        while self._into_step_s >= self._period_s - 1e-9:
            self._into_step_s = max(0.0, self._into_step_s - self._period_s)
            self._step(target, met, halt)
        return self._streamed(frozenset(met))

    def _step(self, target: Target | None, met: set[str], halt: bool) -> None:
        self._quaternion = self._turned(self._period_s)
        halt = halt or self._place.is_halting or self._turn.is_halting
        if halt or target is None:
            self._brake(met, halt)
            return
        inside_m = np.minimum(np.maximum(target.position_m, self._low), self._high)
        if length(inside_m - target.position_m) > 1e-6:
            met.add("workspace")
        acceleration, limits = self._place.pursue(inside_m - self._place.lead)
        met.update(limits)
        self._take_place(acceleration, met)
        # Compare the target with the end of the turn.
        leader = quaternions.multiply(quaternions.exp(self._turn.owed), self._quaternion)
        acceleration, limits = self._turn.pursue(quaternions.between(leader, target.quaternion))
        met.update(f"turn_{limit}" for limit in limits)
        self._turn.take(acceleration)
        for name, follower in (("jerk", self._place), ("turn_jerk", self._turn)):
            if length(follower.cubic.jerk) > 0.99 * follower.limits.jerk:
                met.add(name)

    def _brake(self, met: set[str], halt: bool) -> None:
        """Brake hard if that ends in the workspace, else gently. A halt continues to its end."""
        place = self._place
        if place.is_halting or (halt and self._holds(place.halts_at, place.halts_at)):
            place.halt()
        else:
            self._take_place(place.brake(), met)
        if halt:
            self._turn.halt()
        else:
            self._turn.take(self._turn.brake())

    def _take_place(self, acceleration: Vector, met: set[str]) -> None:
        """Use the acceleration, or as much of it as leaves room to brake in the workspace."""
        place, braking = self._place, self._place.brake()
        ends = self._ends(acceleration)
        if not self._holds(*ends):
            met.add("workspace")
            safe, unsafe = 0.0, 1.0
            for _ in range(_HALVINGS):
                share = (safe + unsafe) / 2
                holds = self._holds(*self._ends(braking + share * (acceleration - braking)))
                safe, unsafe = (share, unsafe) if holds else (safe, share)
            acceleration = braking + safe * (acceleration - braking)
            ends = self._ends(acceleration)
        # A tool that came from outside may not go back: its room shrinks to the workspace.
        low, high = self._room
        self._room = (
            np.maximum(low, np.minimum(self._low, np.minimum(*ends))),
            np.minimum(high, np.maximum(self._high, np.maximum(*ends))),
        )
        place.take(acceleration)

    def _ends(self, acceleration: Vector) -> tuple[Vector, Vector]:
        """The leader's position after a step, and where it would stop from there."""
        after, velocity = self._place.after(acceleration)
        return after, self._place.stop_from(after, velocity)

    def _holds(self, after: Vector, stop: Vector) -> bool:
        low, high = self._room
        least, most = np.minimum(after, stop), np.maximum(after, stop)
        return bool((least >= low - _ROUNDING_M).all() and (most <= high + _ROUNDING_M).all())

    def _turned(self, time_s: float) -> Float[np.ndarray, "4"]:
        if time_s == 0.0:
            return self._quaternion
        moved = quaternions.exp(self._turn.cubic.moved(time_s))
        return quaternions.multiply(moved, self._quaternion)

    def _streamed(self, met: frozenset[str]) -> Streamed:
        time_s, place, turn = self._into_step_s, self._place.cubic, self._turn.cubic
        return Streamed(
            position_m=place.place + place.moved(time_s),
            quaternion=self._turned(time_s),
            twist=np.concatenate([place.velocity_at(time_s), turn.velocity_at(time_s)]),
            met=met,
        )


def _is_finite(target: Target) -> bool:
    return bool(np.isfinite(target.position_m).all() and np.isfinite(target.quaternion).all())
