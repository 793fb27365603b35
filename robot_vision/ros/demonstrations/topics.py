"""The inputs of the recorder of demonstrations. Callbacks only store."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import String

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import LONGEST_LINE, brief
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.datasets.lerobot.sample import stepped
from robot_vision.demonstrations.recording.align import Aligner
from robot_vision.demonstrations.recording.session import Session
from robot_vision.ros.common.executor import CameraGroup
from robot_vision.ros.demonstrations.arm import RecordedArm
from robot_vision.ros.messages.convert import ImageMessage, ns_from_stamp
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.any_qos import AnyQos, where_latched
from robot_vision.ros.middleware.bounded import (
    CAMERA_INFO_BYTES,
    POSE_BYTES,
    STATE_BYTES,
    bounded,
    checked_frame_id,
)
from robot_vision.ros.middleware.message_numbers import bounded_with_number

# Best effort matches every publisher; deep, because every message counts.
_IMAGE_QOS = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
_STATE_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_MOST_PROBLEMS = 100
# Images are bounded where they are decoded.
_MOST_BYTES = {
    JointState: STATE_BYTES,
    PoseStamped: POSE_BYTES,
    CameraInfo: CAMERA_INFO_BYTES,
}


class DemoTopics:
    """All subscriptions: keeps the newest of each, and feeds the open session."""

    def __init__(self, node: Node, config: DemonstrationConfig) -> None:
        self._node = node
        self._config = config
        self._lock = Lock()
        self._session: Session | None = None
        self._arm = RecordedArm(config, put=self._put, refuse=self.refuse)
        self._stepped_target: np.ndarray | None = None
        self._gripper_command: float | None = None
        self.images: dict[str, ImageMessage] = {}
        self.depths: dict[str, ImageMessage] = {}
        self.infos: dict[str, CameraInfo] = {}
        self.unusable: dict[str, int] = {}
        self.topics: dict[str, str] = {}
        group = CameraGroup()
        rgb, suffix = _transport(config.rgb_transport, "compressed")
        depth, depth_suffix = _transport(config.depth_transport, "compressedDepth")
        for camera in config.cameras:
            self._listen(
                rgb, f"{camera}/rgb", self._on_rgb(camera), _IMAGE_QOS, group, suffix=suffix
            )
            info = self._on_info(camera)
            self._listen(CameraInfo, f"{camera}/camera_info", info, _IMAGE_QOS, group)
        for camera in config.depth_cameras:
            take = self._on_depth(camera)
            self._listen(depth, f"{camera}/depth", take, _IMAGE_QOS, group, suffix=depth_suffix)
        self._listen(JointState, "joint_states", self._on_joints, _STATE_QOS, group, numbered=True)
        self._listen(PoseStamped, "tool_pose", self._on_tool, _STATE_QOS, group)
        self._description = ""
        urdf = bounded(
            String,
            self._on_urdf,
            most_bytes=config.arm.description_bytes,
            refuse=partial(self.refuse, "robot_description"),
        )
        AnyQos(node, String, "robot_description", urdf, group=node.default_callback_group)
        if config.action_source == "pose":
            self._listen(PoseStamped, "command/pose", self._on_pose, _STATE_QOS, group)
            self._listen(JointState, "command/gripper", self._on_gripper, _STATE_QOS, group)
        elif config.action_source == "steps":
            self._listen(JointState, "command/action", self._on_step, _STATE_QOS, group)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """The joints to record without the gripper's: the configured ones, else all."""
        return self._arm.joint_names

    def missing(self) -> list[str]:
        """Required topics from which nothing has come yet."""
        config = self._config
        wanted = [(f"{c}/rgb", c in self.images) for c in config.cameras]
        wanted += [(f"{c}/camera_info", c in self.infos) for c in config.cameras]
        wanted += [(f"{c}/depth", c in self.depths) for c in config.depth_cameras]
        wanted += [("tool_pose", self._arm.is_tool_reported)]
        return [f"{self.topics[name]}" for name, came in wanted if not came] + self._no_joints()

    def _no_joints(self) -> list[str]:
        """`joint_states` with the required joints that it lacks, if there are any."""
        known = self._arm.reported_joints
        wanted = (*self._config.joints, self._config.gripper.joint)
        absent = [name for name in wanted if name not in known]
        topic = self.topics["joint_states"]
        if absent and known:
            return [f"{topic} (joint {', '.join(absent)}; it has {', '.join(known)})"]
        return [topic] if absent else []

    def fault(self) -> str:
        """Why joint states cannot be trusted now; empty if they can."""
        return self._arm.fault(self._now_ns())

    def feed(self, session: Session | None) -> None:
        """Pass everything from now on to `session`; None: discard it."""
        with self._lock:
            self._session = session
            self._stepped_target = None

    def _listen(
        self,
        kind: Any,
        role: str,
        callback: Callable[..., None],
        qos: QoSProfile,
        group: CameraGroup,
        *,
        suffix: str = "",
        numbered: bool = False,
    ) -> None:
        """Subscribe; with `numbered` the callback also gets the publisher's message number."""
        topic = self._node.resolve_topic_name(role) + suffix
        self.topics[role] = topic

        def take(*message: Any) -> None:
            try:
                callback(*message)
            except ValueError as error:
                self.refuse(role, str(error))

        most_bytes = _MOST_BYTES.get(kind)
        if most_bytes is None:
            self._node.create_subscription(kind, topic, take, qos, callback_group=group)
            return
        refuse = partial(self.refuse, role)
        checked = bounded_with_number if numbered else bounded
        raw = checked(kind, take, most_bytes=most_bytes, refuse=refuse)
        self._node.create_subscription(kind, topic, raw, qos, callback_group=group, raw=True)
        if kind is CameraInfo:
            where_latched(self._node, kind, topic, raw, group=self._node.default_callback_group)

    def refuse(self, role: str, why: str) -> None:
        """Count an unusable message in `unusable`, which is in the status; logged once."""
        note = brief(f"{role} unusable: {why}", most=LONGEST_LINE)
        if note not in self.unusable and len(self.unusable) >= _MOST_PROBLEMS:
            note = "other problems"
        if note not in self.unusable:
            self._node.get_logger().warning(note)
        self.unusable[note] = self.unusable.get(note, 0) + 1

    def _put(self, put: Callable[[Aligner], object]) -> None:
        with self._lock:
            if self._session is not None:
                self._session.feed(put)

    def _on_rgb(self, camera: str) -> Callable[[ImageMessage], None]:
        def take(message: ImageMessage) -> None:
            stamp_ns = _stamp_of(message)
            self.images[camera] = message
            self._put(lambda aligner: aligner.add_image(camera, stamp_ns, message))

        return take

    def _on_depth(self, camera: str) -> Callable[[ImageMessage], None]:
        def take(message: ImageMessage) -> None:
            stamp_ns = _stamp_of(message)
            self.depths[camera] = message
            self._put(lambda aligner: aligner.add_depth(camera, stamp_ns, message))

        return take

    def _on_info(self, camera: str) -> Callable[[CameraInfo], None]:
        def take(message: CameraInfo) -> None:
            self.infos[camera] = message

        return take

    def _on_joints(self, message: JointState, number: int | None) -> None:
        self._arm.take_joints(
            message, stamp_ns=_stamp_of(message), number=number, now_ns=self._now_ns()
        )

    def _on_tool(self, message: PoseStamped) -> None:
        self._arm.take_tool(message, stamp_ns=_stamp_of(message))

    def _on_urdf(self, message: String) -> None:
        if message.data == self._description:
            return
        self._description = message.data
        try:
            self._arm.describe(message.data)
        except ConfigError as error:
            self._node.get_logger().warning(f"joints and tool pose are not compared: {error}")

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    def _on_pose(self, message: PoseStamped) -> None:
        stamp_ns, target = self._pose(message)
        # A gripper without commands keeps its opening.
        commanded, measured = self._gripper_command, self._arm.gripper_open
        gripper_open = measured if commanded is None else commanded
        if gripper_open is None:
            raise ValueError("a pose is commanded before the gripper is known by joint_states")
        self._put(lambda aligner: aligner.add_target(stamp_ns, target, gripper_open))

    def _on_gripper(self, message: JointState) -> None:
        if len(message.position) != 1 or not np.isfinite(message.position[0]):
            raise ValueError(f"expected one position, found {list(message.position)}")
        self._gripper_command = float(np.clip(message.position[0], 0.0, 1.0))

    def _on_step(self, message: JointState) -> None:
        stamp_ns = _stamp_of(message)
        action = np.array(message.position, np.float64)
        if action.shape != (7,) or not np.isfinite(action).all():
            raise ValueError(f"expected seven finite numbers, found {action.tolist()}")
        before = self._arm.base_from_tool if self._stepped_target is None else self._stepped_target
        if before is None:
            raise ValueError("a step is commanded before tool_pose said where it begins")
        target = stepped(before, action)
        self._stepped_target = target
        self._put(lambda aligner: aligner.add_target(stamp_ns, target, float(action[6])))

    def _pose(self, message: PoseStamped) -> tuple[int, np.ndarray]:
        frame_id = message.header.frame_id
        if frame_id != self._config.frame_id:
            raise ValueError(f"it is in frame {frame_id!r}; expected {self._config.frame_id!r}")
        return _stamp_of(message), transform_from_pose(message.pose)


def _transport(transport: str, suffix: str) -> tuple[Any, str]:
    return (Image, "") if transport == "raw" else (CompressedImage, f"/{suffix}")


def _stamp_of(message: Any) -> int:
    checked_frame_id(message.header.frame_id)
    stamp_ns = ns_from_stamp(message.header.stamp)
    if stamp_ns == 0:
        raise ValueError("header.stamp is 0")
    return stamp_ns
