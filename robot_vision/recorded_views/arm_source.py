"""Where a recording has the arm's poses: chosen by the operator, checked against its topics."""

from dataclasses import dataclass
from pathlib import Path

from robot_vision.arm.kinematics import read_chain
from robot_vision.core.files.foreign import read_text
from robot_vision.recorded_views.pictures import check_topic
from robot_vision.recorded_views.tool_poses import (
    JOINT_STATE,
    POSE,
    PosesByJoints,
    PosesByTransforms,
    PosesOfTopic,
    PoseSource,
    recorded_description,
)
from robot_vision.replay.reading.recording import Recording


@dataclass(frozen=True, kw_only=True)
class ArmOptions:
    """`by` is "tf", "joints", or a topic of `geometry_msgs/PoseStamped`.

    By joints the description is in `urdf`, or recorded on `/robot_description` where that is None.
    """

    by: str
    base_frame: str
    tool_frame: str
    joint_states: str = "/joint_states"
    urdf: Path | None = None


def arm_source(recording: Recording, types: dict[str, str], options: ArmOptions) -> PoseSource:
    """Raises `BagError`, `CalibrationError` or `ConfigError` if the recording does not have it."""
    frames = {"base_frame": options.base_frame, "tool_frame": options.tool_frame}
    if options.by == "tf":
        return PosesByTransforms(**frames)
    if options.by == "joints":
        check_topic(options.joint_states, types, (JOINT_STATE,), option="--joint-states")
        text = (
            recorded_description(recording, "/robot_description")
            if options.urdf is None
            else read_text(options.urdf)
        )
        chain = read_chain(text, base_link=options.base_frame, tool_link=options.tool_frame)
        return PosesByJoints(options.joint_states, chain)
    check_topic(options.by, types, (POSE,), option="--tool-poses")
    return PosesOfTopic(options.by, base_frame=options.base_frame)
