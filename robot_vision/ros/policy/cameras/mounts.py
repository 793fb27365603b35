"""Compares the places of cameras with those in training, as far as they are known.

tf knows all cameras by their frames; a topic or parameters give the place of the first one only.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.types import Frame, RobotState
from robot_vision.ros.common.camera_pose import CameraPoseSource, base_from_view, camera_pose


class CameraMounts:
    """`pose` is the node's source of the camera's pose; None: this makes its own."""

    def __init__(
        self,
        node: Node,
        mounts: Mapping[str, CameraMount],
        *,
        first: str,
        config: PolicyNodeConfig,
        pose: CameraPoseSource | None,
        group: CallbackGroup,
    ) -> None:
        says_all = config.camera_pose.source == "tf"
        self._mounts = {n: mount for n, mount in mounts.items() if says_all or n == first}
        self._frames = config.frame_map()
        self._own: CameraPoseSource | None = None
        if self._mounts and pose is None:
            # Without tf2 places are unknown; a policy from pixels does not need them.
            with suppress(MissingDependencyError):
                self._own = camera_pose(
                    node,
                    config.camera_pose,
                    base_frame=self._frames.base_frame,
                    transforms=config.transforms,
                    group=group,
                )
        self._pose = pose or self._own

    def elsewhere(
        self, views: Mapping[str, Frame], robot_at: Callable[[int], RobotState | None]
    ) -> tuple[str, ...]:
        """Warnings about cameras that are elsewhere, by their latest frames."""
        found = []
        for name, mount in self._mounts.items():
            view = views.get(name)
            robot = None if view is None else robot_at(view.stamp_ns)
            if view is None or robot is None or self._pose is None:
                continue
            pose = base_from_view(self._pose, view, report=lambda _: None)
            if pose is not None:
                base_from_camera = invert_transform(self._frames.robot_from_base) @ pose
                found.append(mount.elsewhere(name, base_from_camera, robot.base_from_tool))
        return tuple(words for words in found if words)

    def close(self) -> None:
        if self._own is not None:
            self._own.close()
