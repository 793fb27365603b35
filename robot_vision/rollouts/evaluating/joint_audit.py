"""Audits every joint command of an episode against its promised limits.

Uses only positions and stamps, as an arm's driver does: speeds and accelerations are their
differences, not the command's own fields.
"""

import numpy as np
from jaxtyping import Float64

from robot_vision.core.clock import seconds_between
from robot_vision.core.manifests.action_spec import JointSpec
from robot_vision.core.types import Command

# Relative tolerance for differences of rounded positions.
_SLACK = 1e-6


class JointAudit:
    """`violations` counts, by limit, commands in which some joint exceeded it."""

    def __init__(self, spec: JointSpec) -> None:
        self._lower, self._upper = np.array(spec.lower), np.array(spec.upper)
        self._velocity = np.array(spec.max_velocity)
        self._acceleration = np.array(spec.max_acceleration)
        self._before: tuple[int, Float64[np.ndarray, " j"]] | None = None
        self._velocity_before = np.zeros(len(spec.names))
        self.violations = {"position": 0, "velocity": 0, "acceleration": 0}

    def note(self, command: Command) -> None:
        """Compare with the previous command; one without joints restarts from rest."""
        if command.joints is None:
            self._before, self._velocity_before = None, np.zeros_like(self._velocity)
            return
        position = command.joints.position
        self._count("position", np.maximum(position - self._upper, self._lower - position), 0.0)
        if self._before is not None:
            stamp_ns, position_before = self._before
            passed_s = seconds_between(stamp_ns, command.stamp_ns)
            velocity = (position - position_before) / passed_s
            change = (velocity - self._velocity_before) / passed_s
            self._count("velocity", np.abs(velocity), self._velocity)
            self._count("acceleration", np.abs(change), self._acceleration)
            self._velocity_before = velocity
        self._before = command.stamp_ns, position

    def _count(
        self, limit: str, found: Float64[np.ndarray, " j"], most: Float64[np.ndarray, " j"] | float
    ) -> None:
        self.violations[limit] += bool((found > np.asarray(most) * (1 + _SLACK) + 1e-9).any())
