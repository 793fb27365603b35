"""Where the camera stands in the base frame: from parameters, a topic or tf2."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from robot_vision.core.camera_config import CameraPoseConfig
from robot_vision.core.config import TransformConfig
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import LONGEST_LINE, brief
from robot_vision.core.geometry import transform_from_quaternion
from robot_vision.core.rotation import original_frame, original_from_rotated
from robot_vision.core.types import Frame
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import POSE_BYTES, bounded

Report = Callable[[str], object]


@runtime_checkable
class CameraPose(Protocol):
    """Gives `base_from_camera` of a frame at a stamp, or None after telling `report` why not."""

    def from_camera(
        self, frame_id: str, stamp_ns: int, *, report: Report
    ) -> Float64[np.ndarray, "4 4"] | None: ...

    def close(self) -> None: ...


def camera_pose(
    node: Node,
    config: CameraPoseConfig,
    *,
    base_frame: str,
    transforms: TransformConfig,
    group: CallbackGroup,
) -> CameraPose:
    """The source that `config` asks for. Raises `RobotVisionError` where it cannot be had."""
    if config.source == "tf":
        return TargetFrame(node, base_frame, transforms)
    if config.source == "topic":
        return PoseTopic(node, base_frame=base_frame, group=group)
    return FixedPose(config)


def base_from_view(
    pose: CameraPose, frame: Frame, *, report: Report
) -> Float64[np.ndarray, "4 4"] | None:
    """Where the axes of a frame's view are: those of the camera, turned as its image was."""
    base_from_camera = pose.from_camera(
        original_frame(frame.frame_id, frame.rotated_deg), frame.stamp_ns, report=report
    )
    if base_from_camera is None:
        return None
    return base_from_camera @ original_from_rotated(frame.rotated_deg)


class FixedPose:
    """By parameters."""

    def __init__(self, config: CameraPoseConfig) -> None:
        try:
            self._base_from_camera = transform_from_quaternion(
                np.array(config.position_m), np.array(config.quaternion_xyzw)
            )
        except ValueError as error:
            raise ConfigError(f"camera_pose: {error}") from error

    def from_camera(
        self,
        frame_id: str,  # noqa: ARG002
        stamp_ns: int,  # noqa: ARG002
        *,
        report: Report,  # noqa: ARG002
    ) -> Float64[np.ndarray, "4 4"] | None:
        return self._base_from_camera

    def close(self) -> None:
        """Nothing is held."""


class PoseTopic:
    """By `camera_pose`, a PoseStamped in the base frame, said once or again and again."""

    def __init__(self, node: Node, *, base_frame: str, group: CallbackGroup) -> None:
        self._base_frame = base_frame
        self._base_from_camera: Float64[np.ndarray, "4 4"] | None = None
        self._problem = f"nothing came on {node.resolve_topic_name('camera_pose')}"
        take = bounded(PoseStamped, self._on_pose, most_bytes=POSE_BYTES, refuse=self._refuse)
        self._heard = AnyQos(node, PoseStamped, "camera_pose", take, group=group)

    def from_camera(
        self,
        frame_id: str,  # noqa: ARG002
        stamp_ns: int,  # noqa: ARG002
        *,
        report: Report,
    ) -> Float64[np.ndarray, "4 4"] | None:
        if self._base_from_camera is None:
            report(self._problem)
        return self._base_from_camera

    def close(self) -> None:
        self._heard.close()

    def _on_pose(self, message: PoseStamped) -> None:
        frame_id = message.header.frame_id
        try:
            if frame_id != self._base_frame:
                raise ValueError(f"it is in frame {frame_id!r}; expected {self._base_frame!r}")
            self._base_from_camera = transform_from_pose(message.pose)
        except ValueError as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        self._base_from_camera, self._problem = (
            None,
            brief(f"camera_pose: {why}", most=LONGEST_LINE),
        )
