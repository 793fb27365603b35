"""The robot in recorded pictures: computes its view from description, joints and camera pose."""

from typing import Any

from robot_vision.arm.urdf import read_urdf
from robot_vision.core.cameras.rotation import original_frame, original_from_rotated
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Camera, RobotView
from robot_vision.replay.reading.messages import Problems, RawMessage, stamp_to_ns
from robot_vision.self_filter.believed_joints import BelievedJoints
from robot_vision.self_filter.self_filter import SelfFilter
from robot_vision.sync.joint_history import JointHistory
from robot_vision.sync.transforms import TransformBuffer

DESCRIPTION, JOINTS = "robot_description", "joint_states"
TYPES = {DESCRIPTION: "std_msgs/msg/String", JOINTS: "sensor_msgs/msg/JointState"}
_OFF = "the robot is not filtered out"


class RecordedRobot:
    """Uses `robot_description` and `joint_states` of a recording, as the node does.

    The camera's pose comes from the description, else from recorded transforms. Missing data are
    added to `problems`, and there is no view: none is better than a wrong one.
    """

    def __init__(self, config: ServiceConfig, problems: Problems) -> None:
        self._config, self._problems = config.self_filter, problems
        self._stale_s = config.transforms.stale_s
        self._filter: SelfFilter | None = None
        self._believed: BelievedJoints | None = None
        self._joints = JointHistory()

    def wants(self, message: RawMessage) -> bool:
        """Whether a message is about the robot, in any namespace."""
        name = message.topic.rpartition("/")[2]
        return self._config.enabled and TYPES.get(name) == message.msgtype

    def take(self, message: RawMessage, content: Any) -> None:
        """Process a decoded message that `wants` accepted."""
        try:
            if message.msgtype == TYPES[DESCRIPTION]:
                self._describe(content.data)
            elif self._believed is not None:
                self._add(self._believed, content)
        except (RobotVisionError, ValueError) as error:
            self._problems.add(f"{message.topic} not usable", str(error))

    def view(
        self,
        camera: Camera | None,
        *,
        frame_id: str,
        rotated_deg: int,
        stamp_ns: int,
        transforms: TransformBuffer,
    ) -> RobotView | None:
        """The robot in a picture of a camera; None if its pose is unknown."""
        robot = self._filter
        if robot is None or camera is None:
            return None
        joints, stale = self._joints.at(
            robot.joint_names, stamp_ns, max_age_s=self._config.max_joint_age_s
        )
        if stale or not joints:
            self._problems.add(_OFF, stale or "no joint of robot_description was recorded")
            return None
        own = original_frame(frame_id, rotated_deg)
        pose = robot.base_from_link(own, joints)
        if pose is None:
            pose = transforms.lookup(
                target=robot.base_link, source=own, stamp_ns=stamp_ns, stale_s=self._stale_s
            )
        if pose is None:
            self._problems.add(_OFF, f"no transform from {own} to {robot.base_link}")
            return None
        base_from_camera = pose @ original_from_rotated(rotated_deg)
        return robot.view(camera, base_from_camera=base_from_camera, joints=joints)

    def _describe(self, text: str) -> None:
        described = read_urdf(text)
        self._filter = SelfFilter(
            described,
            padding_m=self._config.padding_m,
            base_link=self._config.base_link,
            ignored_links=self._config.ignored_links,
        )
        for link, why in self._filter.unseen.items():
            self._problems.add("links of the robot are not filtered out", f"{link}: {why}")
        self._believed = BelievedJoints(described, max_speed=self._config.max_joint_speed)

    def _add(self, believed: BelievedJoints, content: Any) -> None:
        stamp_ns = stamp_to_ns(content.header.stamp)
        reports, refused = believed.take(
            content.name, content.position.tolist(), stamp_ns=stamp_ns
        )
        for at_ns, kept in reports:
            self._joints.add([*kept], [*kept.values()], stamp_ns=at_ns)
        for why in refused:
            self._problems.add("joint_states refused", why)
