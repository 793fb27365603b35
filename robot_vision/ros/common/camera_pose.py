"""Where the camera stands in the base frame: from parameters, a topic or tf2."""

from collections import deque
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from geometry_msgs.msg import PoseStamped
from jaxtyping import Float64
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.cameras.rotation import original_frame, original_from_rotated
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import LONGEST_LINE, brief
from robot_vision.core.parameters.config import TransformConfig
from robot_vision.core.parameters.groups.camera_config import CameraPoseConfig
from robot_vision.core.types import Frame
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import POSE_BYTES, bounded

Report = Callable[[str], object]
_KEPT_POSES = 256  # of a camera that moves and says so: more than pictures are on their way
_AHEAD_NS = NS_PER_S // 2


@runtime_checkable
class CameraPoseSource(Protocol):
    """Gives `base_from_camera` of a frame at a stamp, or None with a reason to `report`."""

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
) -> CameraPoseSource:
    """The source that `config` selects. Raises `RobotVisionError` if it is not available."""
    if config.source == "tf":
        return TargetFrame(node, base_frame, transforms)
    if config.source == "topic":
        return PoseTopic(node, base_frame=base_frame, group=group)
    return FixedPose(config)


def base_from_view(
    pose: CameraPoseSource, frame: Frame, *, report: Report
) -> Float64[np.ndarray, "4 4"] | None:
    """Pose of the axes of a frame's view: those of the camera, turned as its image was."""
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
    """From `camera_pose`, a PoseStamped in the base frame, published once or repeatedly.

    A pose holds from its stamp on, so that images in transit keep the previous one; the first
    pose also holds for earlier images.
    """

    def __init__(self, node: Node, *, base_frame: str, group: CallbackGroup) -> None:
        self._base_frame = base_frame
        self._now_ns = lambda: node.get_clock().now().nanoseconds
        self._poses: deque[tuple[int, Float64[np.ndarray, "4 4"]]] = deque(maxlen=_KEPT_POSES)
        self._problem = f"nothing came on {node.resolve_topic_name('camera_pose')}"
        take = bounded(PoseStamped, self._on_pose, most_bytes=POSE_BYTES, refuse=self._refuse)
        self._heard = AnyQos(node, PoseStamped, "camera_pose", take, group=group)

    def from_camera(
        self,
        frame_id: str,  # noqa: ARG002
        stamp_ns: int,
        *,
        report: Report,
    ) -> Float64[np.ndarray, "4 4"] | None:
        poses = [*self._poses]
        if not poses:
            report(self._problem)
            return None
        held = [pose for from_ns, pose in poses if from_ns <= stamp_ns]
        return held[-1] if held else poses[0][1]

    def close(self) -> None:
        self._heard.close()

    def _on_pose(self, message: PoseStamped) -> None:
        frame_id = message.header.frame_id
        try:
            if frame_id != self._base_frame:
                raise ValueError(f"it is in frame {frame_id!r}; expected {self._base_frame!r}")
            base_from_camera = transform_from_pose(message.pose)
        except ValueError as error:
            self._refuse(str(error))
            return
        # A publisher whose clock is ahead must not be ignored for that long.
        latest_ns = self._now_ns() + _AHEAD_NS
        from_ns = min(ns_from_stamp(message.header.stamp), latest_ns)
        if self._poses and from_ns < self._poses[-1][0]:
            self._poses.clear()  # the publisher's clock was reset
        self._poses.append((from_ns, base_from_camera))

    def _refuse(self, why: str) -> None:
        self._poses.clear()
        self._problem = brief(f"camera_pose: {why}", most=LONGEST_LINE)
