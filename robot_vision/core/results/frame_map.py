"""Maps between the frames of a policy's bundle and those of the robot.

The policy uses `base` and `tool`. The robot has a frame at its base (`robot`) and a commanded link
(`link`); both may be rotated and offset relative to the policy's.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from robot_vision.core import quaternions
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.types import ActionChunk, Command

Pose = Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameMap:
    """`base_frame` and `tool_frame` are the robot's names; both transforms are rigid."""

    base_frame: str
    tool_frame: str
    robot_from_base: Pose
    link_from_tool: Pose

    def base_from_tool(self, robot_from_link: Pose) -> Pose:
        """Pose of the policy's tool from the pose of the robot's link."""
        return invert_transform(self.robot_from_base) @ robot_from_link @ self.link_from_tool

    def robot_from_link(self, base_from_tool: Pose) -> Pose:
        """Pose of the robot's link from the pose of the policy's tool."""
        return self.robot_from_base @ base_from_tool @ invert_transform(self.link_from_tool)

    def command(self, command: Command) -> Command:
        """The same motion in the robot's frames; joints and gripper are unchanged."""
        return replace(
            command,
            base_from_tool=self.robot_from_link(command.base_from_tool),
            twist=self._twist(command.twist, command.base_from_tool),
            action=self._action(command.action, command.base_from_tool),
        )

    def chunk(self, chunk: ActionChunk) -> ActionChunk:
        """The same targets in the robot's frames."""
        targets = chunk.base_from_target
        return replace(
            chunk,
            frame_id=self.base_frame,
            action=np.array(
                [self._action(a, t) for a, t in zip(chunk.action, targets, strict=True)]
            ).reshape(chunk.action.shape),
            base_from_target=np.array([self.robot_from_link(t) for t in targets]).reshape(
                targets.shape
            ),
        )

    def _twist(
        self, twist: Float64[np.ndarray, "6"], base_from_tool: Pose
    ) -> Float64[np.ndarray, "6"]:
        """The twist of the link's origin, which the rotating tool carries along."""
        tool_from_link_m = invert_transform(self.link_from_tool)[:3, 3]
        arm_m = base_from_tool[:3, :3] @ tool_from_link_m
        turn = self.robot_from_base[:3, :3]
        return np.concatenate([turn @ (twist[:3] + np.cross(twist[3:], arm_m)), turn @ twist[3:]])

    def _action(
        self, action: Float64[np.ndarray, "7"], base_from_target: Pose
    ) -> Float64[np.ndarray, "7"]:
        """A tool step to a target as a step of the link."""
        before = np.eye(4)
        back = quaternions.exp(-action[3:6])
        before[:3, :3] = quaternions.pose_matrix(np.zeros(3), back)[:3, :3]
        before[:3, :3] = before[:3, :3] @ base_from_target[:3, :3]
        before[:3, 3] = base_from_target[:3, 3] - action[:3]
        way_m = self.robot_from_link(base_from_target) - self.robot_from_link(before)
        turn_rad = self.robot_from_base[:3, :3] @ action[3:6]
        return np.concatenate([way_m[:3, 3], turn_rad, action[6:]])
