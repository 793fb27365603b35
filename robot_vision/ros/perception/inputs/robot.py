"""The robot in the image, from its description, its joints and the camera's pose."""

from functools import partial

import numpy as np
from jaxtyping import Float64
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from robot_vision.arm.urdf import read_urdf
from robot_vision.core.cameras.rotation import original_frame, original_from_rotated
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.types import Frame, RobotView
from robot_vision.ros.common.camera_pose import CameraPoseSource, base_from_view, camera_pose
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.any_qos import AnyQos
from robot_vision.ros.middleware.bounded import STATE_BYTES, bounded
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.self_filter.believed_joints import BelievedJoints
from robot_vision.self_filter.self_filter import SelfFilter
from robot_vision.sync.joint_history import JointHistory

OFF = "the robot is not filtered out"
# Best effort, so that every publisher matches; arm and gripper may publish apart.
_JOINT_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class RobotInView:
    """Listens from construction to `close`; does nothing before a description comes.

    If something is missing, `health` notes it and there is no view: a wrong one would be worse.
    """

    def __init__(self, node: Node, config: NodeConfig, health: Health) -> None:
        self._node, self._config, self._health = node, config, health
        self._description, self._problem = "", ""
        self._filter: SelfFilter | None = None
        self._believed: BelievedJoints | None = None
        self._pose: CameraPoseSource | None = None
        self._joints = JointHistory()
        self._group = MutuallyExclusiveCallbackGroup()
        self._thread = OwnThread("joints", node=node)
        take = bounded(
            String,
            self._on_description,
            most_bytes=config.self_filter.description_bytes,
            refuse=self._stop,
        )
        self._heard = AnyQos(node, String, "robot_description", take, group=self._group)
        refuse = partial(health.noted, "joint_states refused")
        self._take_joints = bounded(
            JointState, self._on_joints, most_bytes=STATE_BYTES, refuse=refuse
        )
        self._subscription = node.create_subscription(
            JointState,
            "joint_states",
            self._on_joint_bytes,
            _JOINT_QOS,
            callback_group=self._thread,
            raw=True,
        )
        self._thread.start([self._subscription])

    def close(self) -> None:
        self._thread.stop()
        self._node.destroy_subscription(self._subscription)
        self._heard.close()
        if self._pose is not None:
            self._pose.close()
            self._pose = None

    def view(self, frame: Frame) -> RobotView | None:
        """The robot in a frame; None without a robot, or after noting why its view is unknown."""
        robot = self._filter
        if robot is None or frame.camera is None:
            if self._problem:
                self._health.noted(OFF, self._problem)
            return None
        joints, stale = self._joints.at(
            robot.joint_names,
            frame.stamp_ns,
            max_age_s=self._config.self_filter.max_joint_age_s,
        )
        if stale or not joints:
            self._health.noted(OFF, stale or "joint_states has no joint of robot_description")
            return None
        if missing := [name for name in robot.joint_names if name not in joints]:
            self._health.noted(
                "links of the robot are not filtered out",
                f"joint_states has no joint {quoted(', '.join(missing))}",
            )
        pose = self._base_from_view(robot, frame, joints)
        if pose is None:
            return None
        return robot.view(frame.camera, base_from_camera=pose, joints=joints)

    def _base_from_view(
        self, robot: SelfFilter, frame: Frame, joints: dict[str, float]
    ) -> Float64[np.ndarray, "4 4"] | None:
        """By the description if the camera is part of it, else by the source of camera poses."""
        if self._config.target_frame == robot.base_link and frame.fixed_from_camera is not None:
            return frame.fixed_from_camera
        camera = original_frame(frame.frame_id, frame.rotated_deg)
        pose = robot.base_from_link(camera, joints)
        if pose is not None:
            return pose @ original_from_rotated(frame.rotated_deg)
        if self._pose is None:
            return None
        return base_from_view(self._pose, frame, report=partial(self._health.noted, OFF))

    def _on_description(self, message: String) -> None:
        if message.data == self._description:
            return
        self._description = message.data
        config = self._config.self_filter
        try:
            described = read_urdf(message.data)
            robot = SelfFilter(
                described,
                padding_m=config.padding_m,
                base_link=config.base_link,
                ignored_links=config.ignored_links,
            )
            if self._pose is None:
                self._pose = camera_pose(
                    self._node,
                    self._config.camera_pose,
                    base_frame=robot.base_link,
                    transforms=self._config.transforms,
                    group=self._group,
                )
        except RobotVisionError as error:
            self._stop(str(error))
            return
        for link, why in robot.unseen.items():
            self._node.get_logger().warning(f"link {quoted(link)} is not filtered out: {why}")
        self._believed = BelievedJoints(described, max_speed=config.max_joint_speed)
        self._filter, self._problem = robot, ""

    def _stop(self, why: str) -> None:
        self._filter, self._problem = None, f"{why} (self_filter.enabled: false turns it off)"
        self._node.get_logger().warning(f"{OFF}: {self._problem}")

    def _on_joint_bytes(self, data: bytes) -> None:
        if self._filter is not None:  # until then a thousand messages a second cost nothing
            self._take_joints(data)

    def _on_joints(self, message: JointState) -> None:
        names, positions = list(message.name), message.position
        try:
            stamp_ns = ns_from_stamp(message.header.stamp)
            if self._believed is None or len(names) != len(positions):
                self._joints.add(names, positions, stamp_ns=stamp_ns)
                return
            reports, refused = self._believed.take(names, positions, stamp_ns=stamp_ns)
            for at_ns, kept in reports:
                self._joints.add([*kept], [*kept.values()], stamp_ns=at_ns)
        except ValueError as error:
            refused = [str(error)]
        for why in refused:
            self._health.noted("joint_states refused", why)
