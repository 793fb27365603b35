"""What the policy node holds from its configuration to its cleanup."""

from collections.abc import Callable
from contextlib import ExitStack

from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode

from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.policies.control.controller import Controller
from robot_vision.ros.common.camera_pose import CameraPoseSource, camera_pose
from robot_vision.ros.policy.cameras.mounts import CameraMounts
from robot_vision.ros.policy.commander import Commander
from robot_vision.ros.policy.loading import LoadedPolicy, check_loaded
from robot_vision.ros.policy.outputs import PolicyOutputs


class Configured:
    """A loaded policy with its controller and publishers, until `close`.

    Closes the policy also where this raises: it does not fit, or something is not installed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        loaded: LoadedPolicy,
        config: PolicyNodeConfig,
        *,
        perception_model_id: str,
        group: CallbackGroup,
        now_ns: Callable[[], int],
    ) -> None:
        self.loaded, self.policy = loaded, loaded.policy
        with ExitStack() as closing:
            closing.callback(self.policy.close)
            check_loaded(loaded, config, perception_model_id=perception_model_id)
            self.frames = config.frame_map()
            self.camera_pose = self._camera_pose(node, config, group)
            if self.camera_pose is not None:
                closing.callback(self.camera_pose.close)
            self.mounts = self._camera_mounts(node, config, group)
            if self.mounts is not None:
                closing.callback(self.mounts.close)
            robot_frames = {
                "frame_id": self.frames.base_frame,
                "tool_frame_id": self.frames.tool_frame,
            }
            spec = self.policy.spec.model_copy(update=robot_frames)
            self.outputs = PolicyOutputs(node, spec, config, group)
            closing.callback(self.outputs.close)
            self.commander = Commander(
                self.policy,
                Controller(self.policy.spec, config),
                self.outputs,
                frames=self.frames,
                now_ns=now_ns,
            )
            self._closing = closing.pop_all()

    def close(self) -> None:
        """Let everything go, the policy last."""
        self._closing.close()

    def _camera_pose(
        self, node: LifecycleNode, config: PolicyNodeConfig, group: CallbackGroup
    ) -> CameraPoseSource | None:
        """The source of the camera's pose; a policy that takes no perception needs none."""
        if not self.loaded.needs_perception:
            return None
        return camera_pose(
            node,
            config.camera_pose,
            base_frame=self.frames.base_frame,
            transforms=config.transforms,
            group=group,
        )

    def _camera_mounts(
        self, node: LifecycleNode, config: PolicyNodeConfig, group: CallbackGroup
    ) -> CameraMounts | None:
        seen, mounts = self.loaded.observation, self.loaded.camera_mounts
        if seen is None or not mounts:
            return None
        return CameraMounts(
            node,
            mounts,
            first=seen.cameras[0].name,
            config=config,
            pose=self.camera_pose,
            group=group,
        )
