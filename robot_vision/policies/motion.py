"""The commanded motion: from the measured tool on, a pose and a gripper's opening per tick."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.core import quaternions
from robot_vision.core.policy_config import PolicyConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.chunk import Target
from robot_vision.policies.stream import Stream, Streamed

_MET_WORDS = {
    "workspace": "the target is beyond the workspace, or too fast to stop before its end",
    "speed": "speed cut to {max_speed_mps:g} m/s",
    "acceleration": "acceleration cut to {max_acceleration_mps2:g} m/s²",
    "jerk": "jerk cut to {max_jerk_mps3:g} m/s³",
    "turn_speed": "turning cut to {max_turn_radps:g} rad/s",
    "turn_acceleration": "turning cut to {max_turn_radps2:g} rad/s²",
    "turn_jerk": "turning cut to {max_turn_radps3:g} rad/s³",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """One tick: `action` is the step since the tick before (m, rad) and the gripper's opening.

    `met` are the limits that cut it, with what they did in words.
    """

    base_from_tool: Float64[np.ndarray, "4 4"]
    twist: Float64[np.ndarray, "6"]
    gripper_open: float
    action: Float64[np.ndarray, "7"]
    met: tuple[tuple[str, str], ...]


class Motion:
    """Stands still until it is started. Not locked: its owner is."""

    def __init__(self, config: PolicyConfig) -> None:
        self._safety, self._follow_s = config.safety, config.follow_s
        self.period_s = 1 / config.command_hz
        limits = config.safety.model_dump()
        self._words = {name: words.format(**limits) for name, words in _MET_WORDS.items()}
        self.clear()

    def clear(self) -> None:
        """Stop, and forget how far the gripper was open."""
        self._gripper: float | None = None
        self.stop()

    def stop(self) -> None:
        """Nothing moves until it is started at the measured tool."""
        self._stream: Stream | None = None
        self._streamed: Streamed | None = None

    def start(self, robot: RobotState) -> None:
        """Begin at the measured tool, at rest."""
        self._stream = Stream(
            position_m=robot.base_from_tool[:3, 3].copy(),
            quaternion=quaternions.from_matrix(robot.base_from_tool[:3, :3]),
            safety=self._safety,
            period_s=self.period_s,
            follow_s=self._follow_s,
        )
        if self._gripper is None:
            self._gripper = min(max(robot.gripper_open, 0.0), 1.0)
        self._streamed = None

    @property
    def lead_s(self) -> float | None:
        """By how much targets should be ahead; None before it is started."""
        return None if self._stream is None else self._stream.lead_s

    @property
    def is_moving(self) -> bool:
        """Whether the tick before had any speed."""
        return self._streamed is not None and bool(self._streamed.twist.any())

    def advance(self, passed_s: float, target: Target | None, *, halt: bool) -> Moved:
        """A tick towards `target`; without one it brakes, and at once with `halt`."""
        assert self._stream is not None
        if target is not None:
            self._grip(target.gripper_open)
        streamed = self._stream.advance(passed_s, target, halt=halt)
        gripper = 0.0 if self._gripper is None else self._gripper
        moved = Moved(
            base_from_tool=quaternions.pose_matrix(streamed.position_m, streamed.quaternion),
            twist=streamed.twist,
            gripper_open=gripper,
            action=self._step_to(streamed, gripper),
            met=tuple((name, self._words[name]) for name in sorted(streamed.met)),
        )
        self._streamed = streamed
        return moved

    def _grip(self, wanted: float) -> None:
        """Open or close where the wish is clear, else stay."""
        if wanted > self._safety.gripper_open_above:
            self._gripper = 1.0
        elif wanted < self._safety.gripper_close_below:
            self._gripper = 0.0

    def _step_to(self, streamed: Streamed, gripper: float) -> Float64[np.ndarray, "7"]:
        """Δ from the tick before."""
        step = np.zeros(7)
        before = self._streamed
        if before is not None:
            step[:3] = streamed.position_m - before.position_m
            step[3:6] = quaternions.between(before.quaternion, streamed.quaternion)
        step[6] = gripper
        return step
