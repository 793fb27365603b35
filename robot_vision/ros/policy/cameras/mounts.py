"""Cameras compared with where the policy learnt that they are, as far as somebody says it.

With tf all of them are known by their frames; a topic or parameters say it of the first one alone.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from robot_vision.core.camera_mount import CameraMount
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.geometry import invert_transform
from robot_vision.core.robot_config import PolicyNodeConfig
from robot_vision.core.types import Frame, RobotState
from robot_vision.ros.common.camera_pose import CameraPose, base_from_view, camera_pose


class CameraMounts:
    """Looks when it is asked. `pose` is the node's source, None: one of its own."""

    def __init__(
        self,
        node: Node,
        mounts: Mapping[str, CameraMount],
        *,
        first: str,
        config: PolicyNodeConfig,
        pose: CameraPose | None,
        group: CallbackGroup,
    ) -> None:
        says_all = config.camera_pose.source == "tf"
        self._mounts = {n: mount for n, mount in mounts.items() if says_all or n == first}
        self._frames = config.frame_map()
        self._own: CameraPose | None = None
        if self._mounts and pose is None:
            # Without tf2 nothing is known of cameras, and a policy from pixels needs nothing.
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
        """Which cameras are elsewhere, in words, by their latest frames."""
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
