"""Poses of an arm's tool over a recording: from `/tf`, from joints and a URDF, or as published."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.kinematics import Kinematics
from robot_vision.calibration.stillness import Report
from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import CalibrationError
from robot_vision.core.files.foreign import quoted
from robot_vision.replay.reading.discovery import TRANSFORMS
from robot_vision.replay.reading.messages import Decoder, Problems, RawMessage, stamp_to_ns
from robot_vision.replay.reading.recording import Recording
from robot_vision.sync.joint_history import JointHistory
from robot_vision.sync.transforms import TransformBuffer

POSE, JOINT_STATE = "geometry_msgs/msg/PoseStamped", "sensor_msgs/msg/JointState"
TEXT = "std_msgs/msg/String"
# Rest is judged over half a second: more reports than these add nothing.
_EVERY_NS = 10_000_000
# A transform of the chain older than this says nothing about the present.
_STALE_S = 0.2


@runtime_checkable
class PoseSource(Protocol):
    """Makes tool poses from messages; `missing` explains why it made none."""

    def wants(self, message: RawMessage) -> bool: ...

    def pose(self, message: RawMessage, content: Any) -> Report | None: ...

    def missing(self) -> str: ...


def tool_poses(recording: Recording, source: PoseSource) -> list[Report]:
    """`base_from_tool` by stamp, in order, at most a hundred a second.

    Raises `CalibrationError` that says what is missing if there are none.
    """
    decoder, problems = Decoder(is_ros1=recording.is_ros1), Problems()
    reports: dict[int, Float64[np.ndarray, "4 4"]] = {}
    last_ns = -_EVERY_NS
    for message in recording.messages(problems):
        content = decoder.decode(message, problems) if source.wants(message) else None
        report = None if content is None else source.pose(message, content)
        if report is not None and abs(report[0] - last_ns) >= _EVERY_NS:
            last_ns = report[0]
            reports[last_ns] = report[1]
    if not reports:
        raise CalibrationError(f"{recording.path} has no tool poses: {source.missing()}")
    return sorted(reports.items(), key=lambda report: report[0])


class PosesByTransforms:
    """The tool's frame in the base's, from `/tf` and `/tf_static`."""

    def __init__(self, *, base_frame: str, tool_frame: str) -> None:
        self._base, self._tool = base_frame.lstrip("/"), tool_frame.lstrip("/")
        self._transforms = TransformBuffer()
        self._frames: set[str] = set()

    def wants(self, message: RawMessage) -> bool:
        return message.msgtype in TRANSFORMS

    def pose(self, message: RawMessage, content: Any) -> Report | None:
        is_static = message.topic.endswith("tf_static")
        links = {self._tool, *self._transforms.chain(self._tool)}
        stamps_ns = []
        for item in content.transforms:
            stamp_ns = stamp_to_ns(item.header.stamp)
            try:
                self._transforms.add_message(item, stamp_ns=stamp_ns, is_static=is_static)
            except ValueError:
                continue
            self._frames |= {item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")}
            if not is_static and item.child_frame_id.lstrip("/") in links:
                stamps_ns.append(stamp_ns)
        if not stamps_ns:
            return None
        found = self._transforms.lookup(
            target=self._base, source=self._tool, stamp_ns=max(stamps_ns), stale_s=_STALE_S
        )
        return None if found is None else (max(stamps_ns), found)

    def missing(self) -> str:
        lost = [name for name in (self._base, self._tool) if name not in self._frames]
        frames = quoted(", ".join(sorted(self._frames)) or "none")
        if lost:
            return f"no transform names {' nor '.join(map(quoted, lost))}; frames are {frames}"
        return (
            f"{quoted(self._base)} and {quoted(self._tool)} are not joined by transforms that "
            f"move and are at most {_STALE_S:g} s old; frames are {frames}"
        )


class PosesByJoints:
    """The tool's pose from joint states and the robot's description."""

    def __init__(self, topic: str, kinematics: Kinematics) -> None:
        self._topic, self._kinematics = topic, kinematics
        self._joints = JointHistory()
        self._seen: set[str] = set()

    def wants(self, message: RawMessage) -> bool:
        return message.topic == self._topic and message.msgtype == JOINT_STATE

    def pose(self, message: RawMessage, content: Any) -> Report | None:
        stamp_ns = stamp_to_ns(content.header.stamp) or message.log_ns
        try:
            self._joints.add(content.name, content.position.tolist(), stamp_ns=stamp_ns)
        except ValueError:
            return None
        self._seen |= set(content.name)
        names = self._kinematics.joint_names
        until_ns = self._joints.heard_until_ns(names)
        if until_ns is None:
            return None
        positions, _ = self._joints.at(names, until_ns, max_age_s=_STALE_S)
        pose = self._kinematics.base_from_tool(positions)
        return None if pose is None else (until_ns, pose)

    def missing(self) -> str:
        lost = [name for name in self._kinematics.joint_names if name not in self._seen]
        return (
            f"{self._topic} has no joint {quoted(', '.join(lost))}; it has "
            f"{quoted(', '.join(sorted(self._seen)) or 'none')}"
        )


class PosesOfTopic:
    """The tool's pose as published by a driver, as `geometry_msgs/PoseStamped`."""

    def __init__(self, topic: str, *, base_frame: str) -> None:
        self._topic, self._base = topic, base_frame.lstrip("/")
        self._others: set[str] = set()

    def wants(self, message: RawMessage) -> bool:
        return message.topic == self._topic and message.msgtype == POSE

    def pose(self, message: RawMessage, content: Any) -> Report | None:
        frame_id = content.header.frame_id.lstrip("/")
        if frame_id != self._base:
            self._others.add(frame_id)
            return None
        stamp_ns = stamp_to_ns(content.header.stamp) or message.log_ns
        place, turn = content.pose.position, content.pose.orientation
        quaternion = np.array([turn.x, turn.y, turn.z, turn.w])
        norm = float(np.linalg.norm(quaternion))
        if not 0.99 < norm < 1.01:
            return None
        pose = transform_from_quaternion(np.array([place.x, place.y, place.z]), quaternion / norm)
        return stamp_ns, pose

    def missing(self) -> str:
        others = quoted(", ".join(sorted(self._others)))
        return f"{self._topic} is in {others}; expected --base-frame {self._base}"


def recorded_description(recording: Recording, topic: str) -> str:
    """The text of a robot's description; raises `CalibrationError` if it was not recorded."""
    decoder, problems = Decoder(is_ros1=recording.is_ros1), Problems()
    for message in recording.messages(problems):
        if message.topic == topic and message.msgtype == TEXT:
            content = decoder.decode(message, problems)
            if content is not None and content.data:
                return content.data
    raise CalibrationError(
        f"{recording.path} has no {topic} ({TEXT}); expected --urdf with the robot's description"
    )


def span_words(reports: Sequence[Report]) -> str:
    """Readable summary: how many poses over which time."""
    return f"{len(reports)} tool poses over {(reports[-1][0] - reports[0][0]) / 1e9:.1f} s"
