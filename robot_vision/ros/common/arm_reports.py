"""States of the arm from joint states and tool poses, for the policy and the recorder."""

from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from sensor_msgs.msg import JointState

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.robot_config import GripperConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.sync.joint_reports import JointReports

# Joints and a tool pose that are closer in time than this belong together.
_JOINTS_BEHIND_S = 0.1


class ArmReports:
    """The latest joint_states, tool_pose and robot_description; thread-safe.

    `joints` are the arm's while no description names them; empty: those of the largest
    messages. Tool poses come in `frame_id`; `base_from_tool` takes one into the frames of states.
    """

    def __init__(
        self,
        *,
        gripper: GripperConfig,
        joints: Sequence[str],
        frame_id: str,
        base_from_tool: Callable[
            [Float64[np.ndarray, "4 4"]], Float64[np.ndarray, "4 4"]
        ] = lambda pose: pose,
    ) -> None:
        self._gripper = gripper
        self._wanted = tuple(joints)
        self._frame_id = frame_id
        self._base_from_tool = base_from_tool
        self._reports = JointReports()
        self.kinematics: Kinematics | None = None
        self._why_none = "there is no robot_description of the arm"

    def add_joints(
        self, message: JointState, *, stamp_ns: int, sequence: int | None, now_ns: int
    ) -> dict[str, float]:
        """Take a message; returns its positions by name. Raises `ValueError` for unusable ones."""
        return self._reports.add(
            list(message.name),
            message.position,
            stamp_ns=stamp_ns,
            sequence=sequence,
            now_ns=now_ns,
        )

    def describe(self, kinematics: Kinematics | None, *, why: str = "") -> None:
        """Take the arm's description; None: it is unknown, for the reason `why`.

        Raises `ConfigError` if the gripper's joint moves the tool; no description is kept then.
        """
        moved = kinematics is not None and self._gripper.joint in kinematics.joint_names
        self._why_none = why
        self.kinematics = None if moved else kinematics
        if moved:
            raise ConfigError(f"{self._gripper.joint!r} moves the tool's frame")

    def joint_names(self) -> tuple[str, ...]:
        """All joints that are reported; those of the largest messages come first."""
        return self._reports.names()

    def reported_twice(self, now_ns: int) -> tuple[str, ...]:
        """Joints that two publishers report."""
        return self._reports.reported_twice(now_ns)

    def state(self, tool: PoseStamped, *, stamp_ns: int) -> RobotState:
        """The arm's state from both topics, as old as the older one.

        Raises `ValueError` for a pose in another frame, and while joints are missing.
        """
        frame_id = tool.header.frame_id
        if frame_id != self._frame_id:
            raise ValueError(
                f"tool_pose is in frame {quoted(frame_id)}; expected {self._frame_id!r}: "
                "set frames.base to the robot's base frame"
            )
        positions, joints_ns = self._positions(self.kinematics)
        if seconds_between(joints_ns, stamp_ns) > _JOINTS_BEHIND_S:
            stamp_ns = joints_ns
        return self._robot_state(
            positions, self._base_from_tool(transform_from_pose(tool.pose)), stamp_ns=stamp_ns
        )

    def state_of_joints(self) -> RobotState:
        """The arm's state with the tool where its joints put it.

        Raises `ValueError` while that is unknown.
        """
        kinematics = self.kinematics
        if kinematics is None:
            raise ValueError(f"tool_pose.source is 'joints', but {self._why_none}")
        positions, stamp_ns = self._positions(kinematics)
        pose = kinematics.base_from_tool(positions)
        if pose is None:
            raise ValueError("joint_states lacks joints of robot_description")
        return self._robot_state(positions, pose, stamp_ns=stamp_ns)

    def gripper_open(self, position: float) -> float:
        """The opening of the gripper, from 0 to 1; not finite if its joint is not."""
        gripper = self._gripper
        return float(np.clip((position - gripper.closed) / (gripper.open - gripper.closed), 0, 1))

    def _positions(self, kinematics: Kinematics | None) -> tuple[dict[str, float], int]:
        wanted = kinematics.joint_names if kinematics else self._wanted
        return self._reports.positions(wanted, gripper=self._gripper.joint)

    def _robot_state(
        self, positions: dict[str, float], base_from_tool: np.ndarray, *, stamp_ns: int
    ) -> RobotState:
        gripper = self._gripper.joint
        arm = {name: position for name, position in positions.items() if name != gripper}
        return RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=np.array([*arm.values()], np.float64),
            base_from_tool=base_from_tool,
            gripper_open=self.gripper_open(positions[gripper]),
            joint_names=tuple(arm),
        )
