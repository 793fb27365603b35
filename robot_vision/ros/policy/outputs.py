"""The policy node's topics. Commands are made for each tick, all else only for subscribers."""

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from jaxtyping import Float32
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, Header, String
from trajectory_msgs.msg import JointTrajectory, MultiDOFJointTrajectory

from robot_vision.core.action_spec import ActionSpec, JointSpec
from robot_vision.core.robot_config import PolicyNodeConfig
from robot_vision.core.types import ActionChunk, Command, JointCommand
from robot_vision.ros.messages.convert import ImageWriter, header
from robot_vision.ros.messages.joints import joint_trajectory_message, joint_velocity_message
from robot_vision.ros.messages.poses import (
    action_message,
    chunk_message,
    gripper_chunk_message,
    gripper_message,
    pose_message,
    twist_message,
)
from robot_vision.ros.middleware.qos import LATCHED_QOS, OUTPUT_QOS
from robot_vision.ros.policy.actions.action_outputs import ActionOutputs

# The newest command is the one that counts.
COMMAND_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class PolicyOutputs:
    """Publishers of `~/…`, active between the node's activation and deactivation."""

    def __init__(
        self, node: LifecycleNode, spec: ActionSpec, config: PolicyNodeConfig, group: CallbackGroup
    ) -> None:
        """Raises `ConfigError` where an action that `config` asks for is not installed."""
        self._node = node
        self._spec = spec
        self._reach_s = config.joint_space.reach_s
        self._actions = ActionOutputs(node, config, group)
        self._attention_writer = ImageWriter()
        self._publishers: list[Any] = []
        self._pose = self._publisher(PoseStamped, "~/command/pose", COMMAND_QOS)
        self._twist = self._publisher(TwistStamped, "~/command/twist", COMMAND_QOS)
        self._gripper = self._publisher(JointState, "~/command/gripper", COMMAND_QOS)
        self._joints = self._publisher(JointTrajectory, "~/command/joint_trajectory", COMMAND_QOS)
        self._joint_velocity = self._publisher(
            Float64MultiArray, "~/command/joint_velocity", COMMAND_QOS
        )
        self._observation = self._publisher(Header, "~/command/observation", COMMAND_QOS)
        self._action = self._publisher(JointState, "~/action", OUTPUT_QOS)
        self._chunk = self._publisher(MultiDOFJointTrajectory, "~/action_chunk", OUTPUT_QOS)
        self._gripper_chunk = self._publisher(JointTrajectory, "~/gripper_chunk", OUTPUT_QOS)
        self._attention = self._publisher(Image, "~/attention", OUTPUT_QOS)
        self._status = self._publisher(String, "~/status/json", OUTPUT_QOS)
        self._action_spec = self._publisher(String, "~/action_spec", LATCHED_QOS)

    def close(self) -> None:
        self._actions.close()
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def _publisher(self, kind: Any, topic: str, qos: QoSProfile) -> Any:
        publisher = self._node.create_lifecycle_publisher(kind, topic, qos)
        self._publishers.append(publisher)
        return publisher

    def command(self, command: Command) -> None:
        """One tick of the stream; the stamp of the observation behind it comes last."""
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
        """Why the arm's or gripper's action does not follow; empty if it does, or none is used."""
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
        """Commands end: a velocity controller would keep the last velocity for ever."""
        self._actions.end()
        joints = self._spec.joint_space
        if joints is not None and self._joint_velocity.get_subscription_count():
            self._joint_velocity.publish(joint_velocity_message([0.0] * len(joints.names)))

    def chunk(self, chunk: ActionChunk) -> None:
        if self._chunk.get_subscription_count():
            self._chunk.publish(chunk_message(chunk, self._spec.tool_frame_id))
        if self._gripper_chunk.get_subscription_count():
            self._gripper_chunk.publish(gripper_chunk_message(chunk))

    @property
    def attention_wanted(self) -> bool:
        return bool(self._attention.get_subscription_count())

    def attention(
        self, attention: Float32[np.ndarray, "h w"], *, stamp_ns: int, frame_id: str
    ) -> None:
        """Where the policy looks, as an image over the camera's view."""
        message = self._attention_writer.write(
            attention, encoding="32FC1", stamp_ns=stamp_ns, frame_id=frame_id
        )
        self._attention.publish(message)

    @property
    def status_wanted(self) -> bool:
        return bool(self._status.get_subscription_count())

    def status(self, text: str) -> None:
        self._status.publish(String(data=text))

    def describe_joints(self, joints: JointSpec | None) -> None:
        """Say what is commanded in joint space from now on."""
        if joints != self._spec.joint_space:
            self._spec = self._spec.model_copy(update={"joint_space": joints})
            self.action_spec()

    def action_spec(self) -> None:
        """What the numbers mean, for all that subscribe now or later."""
        self._action_spec.publish(String(data=self._spec.model_dump_json()))
