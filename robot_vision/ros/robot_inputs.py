"""The robot's and the operator's topics: where the arm is, what it is to do, that it may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String

from robot_vision.core.clock import seconds_between
from robot_vision.core.robot_config import PolicyNodeConfig
from robot_vision.core.types import RobotState
from robot_vision.ros.convert import ns_from_stamp
from robot_vision.ros.health import Health
from robot_vision.ros.own_thread import OwnThread
from robot_vision.ros.policy_messages import transform_from_pose

# Best effort, so that every publisher matches; the newest state is the one that counts.
STATE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Words are told once, and to those that come later as well.
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_MAX_FUTURE_S = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotCallbacks:
    """Who is told. `on_instruction` may take its time, the others must not."""

    on_state: Callable[[RobotState], None]
    on_instruction: Callable[[str], None]
    on_heartbeat: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class RobotTopic:
    """A subscription as it was made; see `silence.why_quiet`."""

    role: str
    name: str
    type_name: str
    qos: QoSProfile


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
        self._joints: JointState | None = None
        self.topics: list[RobotTopic] = []
        self._thread = OwnThread("robot", node=node)
        slow = MutuallyExclusiveCallbackGroup()
        states = [
            self._subscribe("joint_states", JointState, self._on_joints, STATE_QOS, self._thread),
            self._subscribe("tool_pose", PoseStamped, self._on_tool, STATE_QOS, self._thread),
            self._subscribe("heartbeat", Empty, self._on_heartbeat, STATE_QOS, self._thread),
        ]
        words = self._subscribe("instruction", String, self._on_instruction, LATCHED_QOS, slow)
        self._subscriptions = [*states, words]
        self._thread.start(states)

    def close(self) -> None:
        self._thread.stop()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _subscribe(
        self,
        role: str,
        kind: Any,
        callback: Callable[[Any], None],
        qos: QoSProfile,
        group: CallbackGroup,
    ) -> Any:
        package = kind.__module__.partition(".")[0]
        self.topics.append(
            RobotTopic(
                role=role,
                name=self._node.resolve_topic_name(role),
                type_name=f"{package}/msg/{kind.__name__}",
                qos=qos,
            )
        )
        return self._node.create_subscription(kind, role, callback, qos, callback_group=group)

    def _on_joints(self, message: JointState) -> None:
        self._health.arrived("joint_states")
        self._joints = message

    def _on_instruction(self, message: String) -> None:
        self._health.arrived("instruction")
        self._callbacks.on_instruction(message.data)

    def _on_heartbeat(self, _: Empty) -> None:
        self._health.arrived("heartbeat")
        self._callbacks.on_heartbeat()

    def _on_tool(self, message: PoseStamped) -> None:
        self._health.arrived("tool_pose")
        try:
            state = self._state(message)
        except ValueError as error:
            self._health.dropped("robot state unusable", str(error))
        else:
            self._callbacks.on_state(state)

    def _state(self, tool: PoseStamped) -> RobotState:
        """The arm by both topics, as old as the older of them. Raises `ValueError`."""
        joints = self._joints
        if joints is None:
            raise ValueError("tool_pose came, but no joint_states yet")
        frame_id = tool.header.frame_id
        if frame_id != self._config.expected.frame_id:
            raise ValueError(
                f"tool_pose is in frame {frame_id!r}; expected {self._config.expected.frame_id!r}"
            )
        stamp_ns = min(ns_from_stamp(m.header.stamp) for m in (tool, joints))
        if stamp_ns == 0:
            raise ValueError("header.stamp of tool_pose or joint_states is 0")
        now_ns = self._node.get_clock().now().nanoseconds
        if (ahead_s := seconds_between(now_ns, stamp_ns)) > _MAX_FUTURE_S:
            raise ValueError(f"its stamp is {ahead_s:.3f} s ahead of this node's clock")
        position, gripper = self._split(joints)
        return RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=position,
            base_from_tool=transform_from_pose(tool.pose),
            gripper_open=gripper,
        )

    def _split(self, joints: JointState) -> tuple[np.ndarray, float]:
        """Positions of the arm's joints, and how far the gripper is open, from 0 to 1."""
        gripper = self._config.gripper
        positions = dict(zip(joints.name, joints.position, strict=False))
        if gripper.joint not in positions:
            raise ValueError(
                f"joint_states has no joint {gripper.joint!r} (gripper.joint) with a position; "
                f"it has {', '.join(joints.name) or 'none'}"
            )
        share = (positions.pop(gripper.joint) - gripper.closed) / (gripper.open - gripper.closed)
        values = np.array([*positions.values(), share], np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"joint_states has positions that are not finite: {positions}")
        return values[:-1], float(np.clip(share, 0.0, 1.0))
