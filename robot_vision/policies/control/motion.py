"""The commanded motion: starting at the measured tool, a pose and a gripper opening per tick.

In joint space, the joints follow the stream of poses; if they cannot, the stream waits and
restarts where they come to rest.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core import quaternions
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import JointSpec
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.types import JointCommand, RobotState
from robot_vision.policies.control.chunk import Target
from robot_vision.policies.control.joint_motion import JointMotion
from robot_vision.policies.control.stream import Stream, Streamed
from robot_vision.policies.guards.watchdog import Hold

_MET_WORDS = {
    "workspace": "the target is outside the workspace, or too fast to stop before its boundary",
    "speed": "speed cut to {max_speed_mps:g} m/s",
    "acceleration": "acceleration cut to {max_acceleration_mps2:g} m/s²",
    "jerk": "jerk cut to {max_jerk_mps3:g} m/s³",
    "turn_speed": "turning cut to {max_turn_radps:g} rad/s",
    "turn_acceleration": "turning cut to {max_turn_radps2:g} rad/s²",
    "turn_jerk": "turning cut to {max_turn_radps3:g} rad/s³",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """One tick: `action` is the step since the previous tick (m, rad) and the gripper's opening.

    `met` holds the limits that cut it, with their effect as text.
    """

    base_from_tool: Float64[np.ndarray, "4 4"]
    twist: Float64[np.ndarray, "6"]
    gripper_open: float
    action: Float64[np.ndarray, "7"]
    met: tuple[tuple[str, str], ...]
    joints: JointCommand | None = None


class Motion:
    """At rest until started. Has no lock: its owner locks."""

    def __init__(self, config: PolicyConfig) -> None:
        self._safety, self._follow_s = config.safety, config.follow_s
        self._joint_space = config.joint_space
        self._joints: JointMotion | None = None
        self._why_no_joints = "no robot_description yet" if config.joint_space.enabled else ""
        self.period_s = 1 / config.command_hz
        limits = config.safety.model_dump()
        self._words = {name: words.format(**limits) for name, words in _MET_WORDS.items()}
        self.clear()

    def clear(self) -> None:
        """Stop, and forget the gripper's opening."""
        self._gripper: float | None = None
        self.stop()

    def stop(self) -> None:
        """Stop; nothing moves until started at the measured tool."""
        self._stream: Stream | None = None
        self._streamed: Streamed | None = None
        self._state: RobotState | None = None
        if self._joints is not None:
            self._joints.stop()

    def describe(self, kinematics: Kinematics | None) -> None:
        """Command the joints of this arm from now on, in joint space; restarts the motion."""
        if not self._joint_space.enabled:
            return
        self.stop()
        self._joints, self._why_no_joints = None, "robot_description cannot be used"
        if kinematics is None:
            return
        try:
            self._joints = JointMotion(kinematics, self._joint_space, period_s=self.period_s)
        except ConfigError as error:
            self._why_no_joints = str(error)
        else:
            self._why_no_joints = ""

    @property
    def joint_spec(self) -> JointSpec | None:
        """The commanded joints; None outside joint space."""
        return None if self._joints is None else self._joints.spec

    @property
    def joint_warnings(self) -> tuple[str, ...]:
        """Parts of the description that self-collision cannot check."""
        return () if self._joints is None else self._joints.warnings

    def start_problem(self, robot: RobotState) -> str:
        """Why it cannot start at the arm's pose; empty if it can."""
        if self._joints is None:
            return self._why_no_joints
        return self._joints.start_problem(robot)

    def holds(self, robot: RobotState | None) -> tuple[Hold, ...]:
        """Why the joints cannot follow, or cannot start at `robot`."""
        if self._joints is not None and self._joints.hold is not None:
            return (self._joints.hold,)
        if self._stream is not None or robot is None:
            return ()
        problem = self.start_problem(robot)
        return (Hold(cause="joint_space", reason=f"joint space: {problem}"),) if problem else ()

    def resume(self) -> None:
        """Follow again after a hold of the joints, from their position."""
        if self._joints is not None and self._state is not None and self._joints.resume():
            self._begin(self._state)

    def start(self, robot: RobotState) -> None:
        """Start at rest at the measured tool (in joint space: at the measured joints)."""
        if self._joints is not None:
            robot = replace(robot, base_from_tool=self._joints.start(robot))
        if self._gripper is None:
            self._gripper = min(max(robot.gripper_open, 0.0), 1.0)
        self._begin(robot)

    def _begin(self, robot: RobotState) -> None:
        self._state = robot
        self._stream = Stream(
            position_m=robot.base_from_tool[:3, 3].copy(),
            quaternion=quaternions.from_matrix(robot.base_from_tool[:3, :3]),
            safety=self._safety,
            period_s=self.period_s,
            follow_s=self._follow_s,
        )
        self._streamed = None

    @property
    def lead_s(self) -> float | None:
        """How far ahead in time targets should be; None before the start."""
        return None if self._stream is None else self._stream.lead_s

    @property
    def is_moving(self) -> bool:
        """Whether the previous tick had any speed."""
        return self._streamed is not None and bool(self._streamed.twist.any())

    def advance(self, passed_s: float, target: Target | None, *, halt: bool) -> Moved:
        """One tick towards `target`; without one it brakes, with `halt` at once."""
        assert self._stream is not None
        if target is not None:
            self._grip(target.gripper_open)
        streamed = self._stream.advance(passed_s, target, halt=halt)
        joints = None
        if self._joints is not None:
            streamed, joints = self._follow(
                self._joints, passed_s, streamed, holding=halt or target is None
            )
        gripper = 0.0 if self._gripper is None else self._gripper
        moved = Moved(
            base_from_tool=quaternions.pose_matrix(streamed.position_m, streamed.quaternion),
            twist=streamed.twist,
            gripper_open=gripper,
            action=self._step_to(streamed, gripper),
            met=tuple((name, self._words[name]) for name in sorted(streamed.met)),
            joints=joints,
        )
        self._streamed = streamed
        return moved

    def _follow(
        self, joints: JointMotion, passed_s: float, streamed: Streamed, *, holding: bool
    ) -> tuple[Streamed, JointCommand]:
        """The joints' step towards the stream's pose."""
        wanted = quaternions.pose_matrix(streamed.position_m, streamed.quaternion)
        step = joints.advance(passed_s, wanted, streamed.twist, holding=holding)
        assert self._state is not None
        self._state = replace(self._state, base_from_tool=step.base_from_tool)
        followed = Streamed(
            position_m=step.base_from_tool[:3, 3],
            quaternion=quaternions.from_matrix(step.base_from_tool[:3, :3]),
            twist=step.twist,
            met=streamed.met,
        )
        return followed, step.command

    def _grip(self, wanted: float) -> None:
        """Open or close if the target is clear, else stay."""
        if wanted > self._safety.gripper_open_above:
            self._gripper = 1.0
        elif wanted < self._safety.gripper_close_below:
            self._gripper = 0.0

    def _step_to(self, streamed: Streamed, gripper: float) -> Float64[np.ndarray, "7"]:
        """Δ from the previous tick."""
        step = np.zeros(7)
        before = self._streamed
        if before is not None:
            step[:3] = streamed.position_m - before.position_m
            step[3:6] = quaternions.between(before.quaternion, streamed.quaternion)
        step[6] = gripper
        return step
