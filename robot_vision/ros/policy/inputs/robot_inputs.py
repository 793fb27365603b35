"""Topics of the robot and the operator: the arm's state, the instruction, the heartbeat."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.common.arm_reports import ArmReports
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.messages.live import class_of
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import POSE_BYTES, STATE_BYTES, bounded
from robot_vision.ros.middleware.message_numbers import bounded_with_number
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.ros.middleware.qos import profile_of
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.middleware.silence import ListenedTopic, publisher_names
from robot_vision.ros.policy.inputs.arm_description import arm_of
from robot_vision.topics.policy_table import ROBOT_INPUTS, PolicyTopic

# The largest difference between the clocks of two machines.
_MAX_FUTURE_S = 0.05
# How often the publishers of the arm's state are looked up in the graph.
_SOURCES_PERIOD_S = 0.25
# A character is at most four bytes, and a message has a head.
_BYTES_PER_CHARACTER, _HEAD_BYTES = 4, 64


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotCallbacks:
    """Callbacks for each kind of input. Only `on_instruction` may block.

    `on_state` returns why a state was refused, or an empty text; `on_unusable` gets why a message
    is not a state at all; `on_arm_fault` gets why all states are unreliable, and an empty text
    when they are reliable again. `on_description` returns warnings about the description.
    """

    on_state: Callable[[RobotState], str]
    on_unusable: Callable[[str], None]
    on_arm_fault: Callable[[str], None]
    on_description: Callable[[Kinematics | None], tuple[str, ...]]
    on_instruction: Callable[[str], None]
    on_heartbeat: Callable[[], None]


class RobotInputs:
    """Subscribes from construction to `close`; unusable messages are counted in `health`."""

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
        self._subscriptions: list[Any] = []
        self._words: list[AnyQos] = []
        self._subscribe()
        self._timer = node.create_timer(
            _SOURCES_PERIOD_S,
            self._look_at_sources,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._thread.start(self._subscriptions)

    def close(self) -> None:
        self._thread.stop()
        self._node.destroy_timer(self._timer)
        self._callbacks.on_arm_fault("")  # the next listener checks again
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        for words in self._words:
            words.close()

    def _subscribe(self) -> None:
        callbacks: dict[str, Callable[..., None]] = {
            "joint_states": self._on_joints,
            "heartbeat": self._on_heartbeat,
            "tool_pose": self._on_tool,
            "instruction": self._on_instruction,
            "robot_description": self._on_urdf,
        }
        slow = MutuallyExclusiveCallbackGroup()
        for topic in ROBOT_INPUTS:
            if topic.role == "tool_pose" and self._config.tool_pose.source != "topic":
                continue
            self._add(topic, callbacks[topic.role], slow)

    def _add(self, topic: PolicyTopic, callback: Callable[..., None], slow: CallbackGroup) -> None:
        """Subscribe: words in the group `slow`, all else in this object's own thread."""
        node, kind, qos = self._node, class_of(topic.type_name), profile_of(topic.quality)
        taken = _bounded(topic.role, kind, callback, self._config, self._refused)
        if topic.any_qos:
            self._words.append(AnyQos(node, kind, topic.name, taken, group=slow))
        else:
            self._subscriptions.append(
                node.create_subscription(
                    kind, topic.name, taken, qos, callback_group=self._thread, raw=True
                )
            )
        self.topics.append(
            ListenedTopic(
                role=topic.role,
                name=node.resolve_topic_name(topic.name),
                type_name=topic.type_name,
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
            message.data = ""  # the sender no longer means the previous instruction
        self._callbacks.on_instruction(message.data)

    def _on_urdf(self, message: String) -> None:
        """Compare joints with tool poses from now on, if the arm's description allows it."""
        if message.data == self._description:
            return  # published again: a moving arm must not start over
        self._description = message.data
        try:
            self._arm.describe(arm_of(message.data, self._config))
        except ConfigError as error:
            self._arm.describe(None, why=f"robot_description is not usable: {error}")
            self._node.get_logger().warning(f"joints and tool pose are not compared: {error}")
        for warning in self._callbacks.on_description(self._arm.kinematics):
            self._node.get_logger().warning(warning)

    def _look_at_sources(self) -> None:
        """Report two publishers of the tool's pose or of one joint: either may be wrong."""
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
        """The stamp of a state. Raises `ValueError` for stamps that are not usable."""
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
    """A callback for serialized messages that refuses oversized ones."""
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
