"""The robot's and the operator's topics: where the arm is, what it is to do, that it may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.core.robot_config import PolicyNodeConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.common.arm_reports import ArmReports
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import POSE_BYTES, STATE_BYTES, bounded
from robot_vision.ros.middleware.message_numbers import bounded_with_number
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import ANY_QOS
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.middleware.silence import ListenedTopic, publisher_names
from robot_vision.ros.policy.arm_description import arm_of

# Best effort, so that every publisher matches; the newest state is the one that counts.
STATE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Arm and gripper may publish apart: one must not take the other's place.
_JOINT_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
# Clocks of two machines differ by so much.
_MAX_FUTURE_S = 0.05
# How often the graph is asked who publishes the arm's state.
_SOURCES_PERIOD_S = 0.25
# A character is at most four bytes, and a message has a head.
_BYTES_PER_CHARACTER, _HEAD_BYTES = 4, 64


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotCallbacks:
    """Who is called. `on_instruction` may take its time, the others must not.

    `on_state` returns why a state was refused, or nothing; `on_unusable` gets why a report is no
    state at all; `on_arm_fault` gets what makes all
    states unreliable, and empty words when that has ended. `on_description` returns what of the
    description cannot be used, in words.
    """

    on_state: Callable[[RobotState], str]
    on_unusable: Callable[[str], None]
    on_arm_fault: Callable[[str], None]
    on_description: Callable[[Kinematics | None], tuple[str, ...]]
    on_instruction: Callable[[str], None]
    on_heartbeat: Callable[[], None]


class RobotInputs:
    """Subscribes from construction to `close`; what cannot be used is counted in `health`."""

    def __init__(
        self,
        node: Node,
        config: PolicyNodeConfig,
        callbacks: RobotCallbacks,
        health: Health,
    ) -> None:
        self._node = node
        self._config = config
        self._callbacks = callbacks
        self._health = health
        frames = config.frame_map()
        self._arm = ArmReports(
            gripper=config.gripper,
            joints=config.arm.joints,
            frame_id=frames.base_frame,
            base_from_tool=frames.base_from_tool,
        )
        self._description = ""
        self._fault = ""
        self.topics: list[ListenedTopic] = []
        self._thread = OwnThread("robot", node=node)
        slow = MutuallyExclusiveCallbackGroup()
        states = [
            self._subscribe("joint_states", JointState, self._on_joints, _JOINT_QOS, self._thread),
            self._subscribe("heartbeat", Empty, self._on_heartbeat, STATE_QOS, self._thread),
        ]
        if config.tool_pose.source == "topic":
            tool = self._subscribe(
                "tool_pose", PoseStamped, self._on_tool, STATE_QOS, self._thread
            )
            states.append(tool)
        self._words = [
            self._hear("instruction", self._on_instruction, slow),
            self._hear("robot_description", self._on_urdf, slow),
        ]
        self._subscriptions = states
        self._timer = node.create_timer(
            _SOURCES_PERIOD_S,
            self._look_at_sources,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._thread.start(states)

    def close(self) -> None:
        self._thread.stop()
        self._node.destroy_timer(self._timer)
        self._callbacks.on_arm_fault("")  # whoever listens next looks anew
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        for words in self._words:
            words.close()

    def _hear(self, role: str, callback: Callable[[String], None], group: CallbackGroup) -> AnyQos:
        self._listed(role, String, ANY_QOS)
        taken = _bounded(role, String, callback, self._config, self._refused)
        return AnyQos(self._node, String, role, taken, group=group)

    def _subscribe(
        self,
        role: str,
        kind: Any,
        callback: Callable[..., None],
        qos: QoSProfile,
        group: CallbackGroup,
    ) -> Any:
        self._listed(role, kind, qos)
        taken = _bounded(role, kind, callback, self._config, self._refused)
        return self._node.create_subscription(
            kind, role, taken, qos, callback_group=group, raw=True
        )

    def _listed(self, role: str, kind: Any, qos: QoSProfile) -> None:
        package = kind.__module__.partition(".")[0]
        self.topics.append(
            ListenedTopic(
                role=role,
                name=self._node.resolve_topic_name(role),
                type_name=f"{package}/msg/{kind.__name__}",
                qos=qos,
            )
        )

    def _refused(self, role: str, why: str) -> None:
        self._health.dropped(f"{role} refused", why)

    def _on_joints(self, message: JointState, sequence: int | None) -> None:
        self._health.arrived("joint_states")
        try:
            stamp_ns = self._stamp_ns("joint_states", message)
            self._arm.add_joints(
                message, stamp_ns=stamp_ns, sequence=sequence, now_ns=self._now_ns()
            )
            if self._config.tool_pose.source == "joints":
                self._take(self._arm.state_of_joints())
        except ValueError as error:
            self._unusable(error)

    def _unusable(self, error: ValueError) -> None:
        self._health.dropped("robot state unusable", str(error))
        self._callbacks.on_unusable(str(error))

    def _on_instruction(self, message: String) -> None:
        self._health.arrived("instruction")
        most, length = self._config.max_instruction_chars, len(message.data)
        if length > most:
            self._refused("instruction", f"it has {length} characters; at most {most} are taken")
            message.data = ""  # whoever spoke meant other words than those of before
        self._callbacks.on_instruction(message.data)

    def _on_urdf(self, message: String) -> None:
        """Compare joints with tool poses from now on, where the arm's description allows it."""
        if message.data == self._description:
            return  # published again: what moves is not to begin anew
        self._description = message.data
        try:
            self._arm.describe(arm_of(message.data, self._config))
        except ConfigError as error:
            self._arm.describe(None, why=f"robot_description does not do: {error}")
            self._node.get_logger().warning(f"joints and tool pose are not compared: {error}")
        for warning in self._callbacks.on_description(self._arm.kinematics):
            self._node.get_logger().warning(warning)

    def _look_at_sources(self) -> None:
        """Two publishers of the tool's pose, or of one joint, are a fault: which is true?"""
        if not is_up(self._node.context):
            return
        fault = self._source_fault()
        if fault != self._fault:
            self._fault = fault
            if fault:
                self._node.get_logger().error(fault)
            self._callbacks.on_arm_fault(fault)

    def _source_fault(self) -> str:
        tools = publisher_names(self._node, self._node.resolve_topic_name("tool_pose"))
        if len(tools) > 1:
            return f"{len(tools)} publishers of tool_pose: {', '.join(tools)}; there must be one"
        joints = publisher_names(self._node, self._node.resolve_topic_name("joint_states"))
        twice = self._arm.reported_twice(self._now_ns()) if len(joints) > 1 else ()
        if twice:
            return (
                f"{quoted(', '.join(twice))} reported twice on joint_states, by two of "
                f"{', '.join(joints)}; each joint must have one publisher"
            )
        return ""

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    def _on_heartbeat(self, _: Empty) -> None:
        self._health.arrived("heartbeat")
        self._callbacks.on_heartbeat()

    def _on_tool(self, message: PoseStamped) -> None:
        self._health.arrived("tool_pose")
        try:
            state = self._arm.state(message, stamp_ns=self._stamp_ns("tool_pose", message))
        except ValueError as error:
            self._unusable(error)
        else:
            self._take(state)

    def _take(self, state: RobotState) -> None:
        if why := self._callbacks.on_state(state):
            self._health.dropped("robot state refused", why)

    def _stamp_ns(self, role: str, message: JointState | PoseStamped) -> int:
        """When the arm was so. Raises `ValueError` for stamps that say nothing."""
        stamp_ns = ns_from_stamp(message.header.stamp)
        if stamp_ns == 0:
            raise ValueError(f"header.stamp of {role} is 0")
        if (ahead_s := seconds_between(self._now_ns(), stamp_ns)) > _MAX_FUTURE_S:
            raise ValueError(f"{role} is stamped {ahead_s:.3f} s ahead of this node's clock")
        return stamp_ns


def _bounded(
    role: str,
    kind: Any,
    callback: Callable[..., None],
    config: PolicyNodeConfig,
    refused: Callable[[str, str], None],
) -> Callable[..., None]:
    """A callback for serialized messages that refuses those that are too large."""
    words = config.max_instruction_chars * _BYTES_PER_CHARACTER + _HEAD_BYTES
    most_bytes = {
        "instruction": words,
        "robot_description": config.arm.description_bytes,
        "joint_states": STATE_BYTES,
    }.get(role, POSE_BYTES)

    def refuse(why: str) -> None:
        refused(role, why)
        if role == "instruction":
            callback(String())

    take = bounded_with_number if role == "joint_states" else bounded
    return take(kind, callback, most_bytes=most_bytes, refuse=refuse)
