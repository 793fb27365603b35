"""A 3-vector follows its target with limited speed, acceleration and jerk.

Two stages on a grid of time. The leader pursues the target with limited speed and acceleration. A
moving average over 2·acceleration/jerk then limits the jerk, and, being an average, preserves the
limits of speed and acceleration and any convex set that contains the leader. Between two grid
points the average is an exact cubic, so it can be evaluated at any time. A halt bypasses the
average: it brakes at once with the full acceleration, without a jerk limit, and both restart at
rest.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "3"]

# Share of the acceleration used to approach a target; the rest is for moving targets.
_APPROACH_SHARE = 0.8


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest speed, acceleration and jerk of a vector, in m or rad and s."""

    speed: float
    acceleration: float
    jerk: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Cubic:
    """Position and its derivatives at the beginning of a step, in which the jerk is constant."""

    place: Vector
    velocity: Vector
    acceleration: Vector
    jerk: Vector

    def moved(self, time_s: float) -> Vector:
        """Displacement from `place` after `time_s`."""
        inner = self.acceleration / 2 + self.jerk * (time_s / 6)
        return (self.velocity + inner * time_s) * time_s

    def velocity_at(self, time_s: float) -> Vector:
        return self.velocity + (self.acceleration + self.jerk * (time_s / 2)) * time_s


class Follower:
    """Leader and moving average; `take` sets the leader's acceleration for the next step."""

    def __init__(self, start: Vector, *, limits: Limits, step_s: float, follow_s: float) -> None:
        self.limits, self._step_s, self._follow_s = limits, step_s, follow_s
        taps = max(1, math.ceil(2 * limits.acceleration / limits.jerk / step_s - 1e-9))
        self.window_s = taps * step_s
        self._taps = taps
        self.cubic = Cubic(
            place=start, velocity=np.zeros(3), acceleration=np.zeros(3), jerk=np.zeros(3)
        )
        self._rest_at(start)

    def _rest_at(self, place: Vector) -> None:
        """Restart at rest, with leader and average at this position."""
        self.is_halting = False
        self._mean = self.lead = place
        self.lead_velocity = np.zeros(3)
        # Per past step: the leader's position, velocity and acceleration at its beginning.
        still = (place, np.zeros(3), np.zeros(3))
        self._past = deque([still] * self._taps, maxlen=self._taps)
        # And its mean position within it.
        self._means = deque([place] * self._taps, maxlen=self._taps)

    @property
    def owed(self) -> Vector:
        """How far the average still moves, from the next step on, if the leader stops dead."""
        return self.lead - self._mean

    def brake(self) -> Vector:
        """Acceleration that stops the leader along a straight line."""
        return cut(-self.lead_velocity / self._step_s, self.limits.acceleration)

    def pursue(self, error: Vector) -> tuple[Vector, tuple[str, ...]]:
        """Acceleration towards a target `error` away from the leader, and the limits it met.

        The speed is proportional to small errors and to the square root of large ones, so that the
        approach needs only a share of the acceleration.
        """
        distance = length(error)
        if distance < 1e-12:
            return self.brake(), ()
        approach = _APPROACH_SHARE * self.limits.acceleration
        knee = approach * self._follow_s**2
        if distance <= knee:
            speed = distance / self._follow_s
        else:
            speed = math.sqrt(2 * approach * (distance - knee / 2))
        wanted = error * (min(speed, self.limits.speed) / distance)
        asked = (wanted - self.lead_velocity) / self._step_s
        acceleration = cut(asked, self.limits.acceleration)
        met = ("speed",) if speed > self.limits.speed else ()
        return acceleration, met if acceleration is asked else (*met, "acceleration")

    def after(self, acceleration: Vector) -> tuple[Vector, Vector]:
        """The leader's position and velocity after a step with this acceleration."""
        velocity = self.lead_velocity + acceleration * self._step_s
        return self.lead + (self.lead_velocity + velocity) * (self._step_s / 2), velocity

    def stop_from(self, place: Vector, velocity: Vector) -> Vector:
        """Where a leader comes to rest if it brakes from here on, step by step."""
        speed = length(velocity)
        if speed == 0.0:
            return place
        per_step = self.limits.acceleration * self._step_s
        whole = math.floor(speed / per_step)
        rest = speed - whole * per_step
        distance = self._step_s * (whole * (speed - per_step * whole / 2) + rest / 2)
        return place + velocity * (distance / speed)

    @property
    def halts_at(self) -> Vector:
        """Where it comes to rest if halted from the next step on."""
        return self.stop_from(self._mean, self._velocity_ahead)

    @property
    def _velocity_ahead(self) -> Vector:
        """Velocity of the average at the beginning of the next step."""
        if self.is_halting:
            return self.lead_velocity
        return (self.lead - self._past[0][0]) / self.window_s

    def halt(self) -> None:
        """Enter the next step braking along the straight line, as hard as the limits allow."""
        velocity, step_s = self._velocity_ahead, self._step_s
        acceleration = cut(-velocity / step_s, self.limits.acceleration)
        self.cubic = Cubic(
            place=self._mean, velocity=velocity, acceleration=acceleration, jerk=np.zeros(3)
        )
        end = self._mean + self.cubic.moved(step_s)
        if length(velocity) <= self.limits.acceleration * step_s:
            self._rest_at(end)
            return
        self.is_halting = True
        self._mean = self.lead = end
        self.lead_velocity = velocity + acceleration * step_s

    def take(self, acceleration: Vector) -> None:
        """Enter the next step, in which the leader has this acceleration."""
        place, velocity, step_s = self.lead, self.lead_velocity, self._step_s
        old_place, old_velocity, old_acceleration = self._past[0]
        self.cubic = Cubic(
            place=self._mean,
            velocity=(place - old_place) / self.window_s,
            acceleration=(velocity - old_velocity) / self.window_s,
            jerk=(acceleration - old_acceleration) / self.window_s,
        )
        self._past.append((place, velocity, acceleration))
        self._means.append(place + (velocity / 2 + acceleration * (step_s / 6)) * step_s)
        self._mean = sum(self._means, np.zeros(3)) / len(self._means)
        self.lead, self.lead_velocity = self.after(acceleration)


def length(vector: Vector) -> float:
    return math.sqrt(vector @ vector)


def cut(vector: Vector, most: float) -> Vector:
    """The vector, shortened to `most` if longer; otherwise the same object."""
    long = length(vector)
    return vector if long <= most else vector * (most / long)
