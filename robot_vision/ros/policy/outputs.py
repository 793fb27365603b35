"""The policy node's publishers. Every message is made for subscribers only."""

from typing import Any

import numpy as np
from jaxtyping import Float32
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String

from robot_vision.core.manifests.action_spec import ActionSpec, JointSpec
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.results.policy_chunk import POLICY_CHUNK, policy_chunk
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus
from robot_vision.core.types import ActionChunk, Command, JointCommand
from robot_vision.ros.messages.convert import ImageWriter, header
from robot_vision.ros.messages.joints import joint_trajectory_message, joint_velocity_message
from robot_vision.ros.messages.live import class_of
from robot_vision.ros.messages.poses import (
    action_message,
    chunk_message,
    gripper_chunk_message,
    gripper_message,
    pose_message,
    twist_message,
)
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.ros.policy.actions.action_outputs import ActionOutputs
from robot_vision.topics.policy_table import OUTPUTS


class PolicyOutputs:
    """Publishers of `~/…`, active between the node's activation and deactivation."""

    def __init__(
        self, node: LifecycleNode, spec: ActionSpec, config: PolicyNodeConfig, group: CallbackGroup
    ) -> None:
        """Raises `ConfigError` where an action that `config` names is not installed."""
        self._node = node
        self._spec = spec
        self._reach_s = config.joint_space.reach_s
        self._actions = ActionOutputs(node, config, group)
        self._attention_writer = ImageWriter()
        self._publishers: dict[str, Any] = {
            topic.name: node.create_lifecycle_publisher(
                class_of(topic.type_name), topic.name, profile_of(topic.quality)
            )
            for topic in OUTPUTS
        }
        self._pose = self._publishers["~/command/pose"]
        self._twist = self._publishers["~/command/twist"]
        self._gripper = self._publishers["~/command/gripper"]
        self._joints = self._publishers["~/command/joint_trajectory"]
        self._joint_velocity = self._publishers["~/command/joint_velocity"]
        self._observation = self._publishers["~/command/observation"]
        self._action = self._publishers["~/action"]
        self._chunk = self._publishers["~/action_chunk"]
        self._gripper_chunk = self._publishers["~/gripper_chunk"]
        self._chunk_json = self._publishers["~/action_chunk/json"]
        self._attention = self._publishers["~/attention"]
        self._status = self._publishers["~/status/json"]
        self._action_spec = self._publishers["~/action_spec"]

    def close(self) -> None:
        self._actions.close()
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def command(self, command: Command) -> None:
        """Publish one tick of the stream; the stamp of the observation behind it comes last."""
        frame_id = self._spec.frame_id
        if self._pose.get_subscription_count():
            self._pose.publish(pose_message(command, frame_id))
        if self._twist.get_subscription_count():
            self._twist.publish(twist_message(command, frame_id))
        if self._gripper.get_subscription_count():
            self._gripper.publish(gripper_message(command))
        if self._action.get_subscription_count():
            self._action.publish(action_message(command, self._spec))
        if command.joints is not None:
            self._joint_command(command.joints, command.stamp_ns)
        if self._observation.get_subscription_count() and not command.holding:
            self._observation.publish(header(command.observation_stamp_ns, frame_id))

        self._actions.command(command)

    @property
    def problem(self) -> str:
        """Why the arm's or gripper's action does not follow; empty if it does or none is used."""
        return self._actions.problem

    def clear_problem(self) -> None:
        """Send goals again after one that failed."""
        self._actions.clear()

    def _joint_command(self, joints: JointCommand, stamp_ns: int) -> None:
        if self._joints.get_subscription_count():
            message = joint_trajectory_message(joints, stamp_ns=stamp_ns, reach_s=self._reach_s)
            self._joints.publish(message)
        if self._joint_velocity.get_subscription_count():
            self._joint_velocity.publish(joint_velocity_message(joints.velocity.tolist()))

    def end_commands(self) -> None:
        """End commands: a velocity controller would keep the last velocity forever."""
        self._actions.end()
        joints = self._spec.joint_space
        if joints is not None and self._joint_velocity.get_subscription_count():
            self._joint_velocity.publish(joint_velocity_message([0.0] * len(joints.names)))

    def chunk(self, chunk: ActionChunk) -> None:
        if self._chunk.get_subscription_count():
            self._chunk.publish(chunk_message(chunk, self._spec.tool_frame_id))
        if self._gripper_chunk.get_subscription_count():
            self._gripper_chunk.publish(gripper_chunk_message(chunk))
        if self._chunk_json.get_subscription_count():
            text = POLICY_CHUNK.write(policy_chunk(chunk, self._spec))
            self._chunk_json.publish(String(data=text))

    @property
    def attention_wanted(self) -> bool:
        return bool(self._attention.get_subscription_count())

    def attention(
        self, attention: Float32[np.ndarray, "h w"], *, stamp_ns: int, frame_id: str
    ) -> None:
        """Publish where the policy looks, as an image over the camera's view."""
        message = self._attention_writer.write(
            attention, encoding="32FC1", stamp_ns=stamp_ns, frame_id=frame_id
        )
        self._attention.publish(message)

    @property
    def status_wanted(self) -> bool:
        return bool(self._status.get_subscription_count())

    def status(self, status: PolicyStatus) -> None:
        self._status.publish(String(data=POLICY_STATUS.write(status)))

    def describe_joints(self, joints: JointSpec | None) -> None:
        """Publish the action spec again if what is commanded in joint space has changed."""
        if joints != self._spec.joint_space:
            self._spec = self._spec.model_copy(update={"joint_space": joints})
            self.action_spec()

    def action_spec(self) -> None:
        """Publish what the numbers of actions mean, for current and later subscribers."""
        self._action_spec.publish(String(data=self._spec.model_dump_json()))
