"""Parameters of the robot side of the graph: the policy node and the simulated robot."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import Params, TransformConfig, param
from robot_vision.core.parameters.groups.camera_config import CameraPoseConfig
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.parameters.params import Uptake
from robot_vision.core.results.frame_map import FrameMap


class GripperConfig(Params):
    """How to read the gripper's opening from joint_states."""

    joint: str = param(
        "gripper", "the gripper's joint in joint_states; all others belong to the arm"
    )
    closed: float = param(0.0, "the joint's position when closed", unit="m or rad")
    open: float = param(1.0, "the joint's position when fully open", unit="m or rad")
    action: Literal["none", "GripperCommand", "ParallelGripperCommand"] = param(
        "none", "also send goals of this control_msgs action to the gripper's controller"
    )
    action_name: str = param("gripper_controller/gripper_cmd", "name of that action", min_length=1)
    max_effort: float = param(
        0.0, "largest effort of a goal; 0: the controller's default", unit="N or Nm", ge=0, le=1000
    )


class ToolPoseConfig(Params):
    """Source of the measured tool pose."""

    source: Literal["topic", "joints"] = param(
        "topic",
        "topic: PoseStamped on tool_pose; joints: joint_states with robot_description, for arms "
        "that publish no pose",
    )


class ExpectedConfig(Params):
    """What the robot's controller expects; a policy that does not match it does not start."""

    frame_id: str = param("base", "the policy's base frame")
    tool_frame_id: str = param("tool", "the policy's commanded frame")
    rotation: str = param("rotation_vector", "representation of rotations in actions")
    gripper: str = param("0_closed_1_open", "polarity of the gripper")
    statistics_sha256: str = param("", "hash of the policy's statistics; empty: any")
    identity: str = param("", "the policy's identity (~/action_spec); empty: any")
    joint_names: list[str] = param(
        [], "joints whose positions the policy outputs, in order; empty: any"
    )
    cameras: list[str] = param([], "names of the robot's cameras; empty: any")
    rate_hz: float = param(0.0, "steps per second of a chunk; 0: any", unit="Hz", ge=0, le=1000)

    def action_values(self) -> dict[str, Any]:
        """The values that `check_spec` compares, without those that accept anything."""
        values = self.model_dump(exclude={"cameras", "rate_hz"})
        values["joint_names"] = tuple(self.joint_names)
        return {name: value for name, value in values.items() if value}


def _place(description: str) -> Any:
    return param([0.0, 0.0, 0.0], description, unit="m", min_length=3, max_length=3)


def _turn(description: str) -> Any:
    return param([0.0, 0.0, 0.0, 1.0], description, min_length=4, max_length=4)


class FramesConfig(Params):
    """The robot's frames that correspond to the policy's, and the policy's poses in them."""

    base: str = param("", "the robot's frame for poses and commands; empty: expected.frame_id")
    base_position_m: list[float] = _place("position of the policy's base in frames.base")
    base_quaternion_xyzw: list[float] = _turn("rotation from the policy's base to frames.base")
    tool: str = param("", "the robot's commanded frame; empty: expected.tool_frame_id")
    tool_position_m: list[float] = _place("position of the policy's tool point in frames.tool")
    tool_quaternion_xyzw: list[float] = _turn(
        "rotation from the policy's tool (z out of the hand, fingers along y) to frames.tool"
    )


class PolicyNodeConfig(PolicyConfig):
    """The policy node: the policy, the robot's topics and diagnostics."""

    uptake = Uptake.CONFIGURE

    autostart: bool = param(True, "configure and activate at start; false: wait for transitions")
    perception: str = param(
        "perception", "name of the perception node, if it runs in another process"
    )
    report_period_s: float = param(
        1.0, "time between reports on /diagnostics", unit="s", ge=0.1, le=60
    )
    max_age_s: float = param(
        0.1,
        "warn if the 95th percentile of camera-to-command latency exceeds this",
        unit="s",
        gt=0,
        le=60,
    )
    camera_pose: CameraPoseConfig = CameraPoseConfig()
    transforms: TransformConfig = TransformConfig()
    gripper: GripperConfig = GripperConfig()
    tool_pose: ToolPoseConfig = ToolPoseConfig()
    expected: ExpectedConfig = ExpectedConfig()
    frames: FramesConfig = FramesConfig()

    def frame_map(self) -> FrameMap:
        """The map between both sides' frames. Raises `ConfigError` for a zero quaternion."""
        frames = self.frames
        return FrameMap(
            base_frame=frames.base or self.expected.frame_id,
            tool_frame=frames.tool or self.expected.tool_frame_id,
            robot_from_base=_transform(
                "frames.base", frames.base_position_m, frames.base_quaternion_xyzw
            ),
            link_from_tool=_transform(
                "frames.tool", frames.tool_position_m, frames.tool_quaternion_xyzw
            ),
        )


def _transform(
    name: str, position_m: list[float], quaternion_xyzw: list[float]
) -> Float64[np.ndarray, "4 4"]:
    """Raises `ConfigError` naming the parameter."""
    if not np.isfinite([*position_m, *quaternion_xyzw]).all():
        raise ConfigError(f"{name}_position_m {position_m}: expected finite numbers")
    try:
        return transform_from_quaternion(np.array(position_m), np.array(quaternion_xyzw))
    except ValueError as error:
        raise ConfigError(f"{name}_quaternion_xyzw: {error}") from error


class RobotSimConfig(Params):
    """The simulated robot: what it shows, how fast, and how it takes commands."""

    seed: int = param(0, "seed of the first scene; ~/reset uses the next one", ge=0, le=2**31 - 1)
    task: Literal["any", "pick", "put", "push"] = param("any", "kind of task")
    arm: Literal["seven", "six"] = param("seven", "number of joints of the arm")
    camera_hz: float = param(10.0, "frame rate of the cameras", unit="Hz", gt=0, le=60)
    wrist_camera: bool = param(False, "also publish the wrist camera's colour images on wrist/rgb")
    fixed_camera: bool = param(
        False, "keep the front camera at its nominal pose in all scenes instead of varying it"
    )
    state_hz: float = param(50.0, "rate of joint_states and tool_pose", unit="Hz", gt=0, le=500)
    speed: float = param(
        1.0,
        "simulated seconds per second; other than 1: publishes /clock; 0: as fast as possible",
        ge=0,
        le=100,
    )
    lead_s: float = param(
        0.06,
        "images are rendered this long before their stamp, commands act this late",
        unit="s",
        ge=0,
        le=0.5,
    )
    command: Literal["pose", "twist", "joint"] = param(
        "pose", "which of the policy's commands to follow; joint: joint trajectories"
    )
    command_timeout_s: float = param(
        0.1, "older commands are rejected, and a twist ends after this time", unit="s", gt=0, le=10
    )
