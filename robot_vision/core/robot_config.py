"""Parameters of the robot's side of the graph: the policy node, and the simulated robot."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from robot_vision.core.camera_config import CameraPoseConfig
from robot_vision.core.config import Params, TransformConfig, param
from robot_vision.core.errors import ConfigError
from robot_vision.core.frame_map import FrameMap
from robot_vision.core.geometry import transform_from_quaternion
from robot_vision.core.params import Uptake
from robot_vision.core.policy_config import PolicyConfig


class GripperConfig(Params):
    """How joint_states tells how far the gripper is open."""

    joint: str = param("gripper", "its joint in joint_states; all others are the arm's")
    closed: float = param(0.0, "the joint's position when closed", unit="m or rad")
    open: float = param(1.0, "the joint's position when wide open", unit="m or rad")
    action: Literal["none", "GripperCommand", "ParallelGripperCommand"] = param(
        "none", "send goals of this action of control_msgs to the gripper's controller as well"
    )
    action_name: str = param("gripper_controller/gripper_cmd", "name of that action", min_length=1)
    max_effort: float = param(
        0.0, "largest effort of a goal; 0: the controller's own", unit="N or Nm", ge=0, le=1000
    )


class ToolPoseConfig(Params):
    """Where the measured pose of the tool comes from."""

    source: Literal["topic", "joints"] = param(
        "topic",
        "topic: PoseStamped on tool_pose; joints: joint_states by robot_description, for arms "
        "that publish no pose",
    )


class ExpectedConfig(Params):
    """What the robot's controller takes; a policy that means something else does not start."""

    frame_id: str = param("base", "the policy's base frame")
    tool_frame_id: str = param("tool", "the policy's frame that is commanded")
    rotation: str = param("rotation_vector", "how turns are given in actions")
    gripper: str = param("0_closed_1_open", "polarity of the gripper")
    statistics_sha256: str = param("", "hash of the policy's statistics; empty takes any")
    identity: str = param("", "the policy's identity (~/action_spec); empty takes any")
    joint_names: list[str] = param(
        [], "joints whose positions the policy answers, in order; empty takes any"
    )
    cameras: list[str] = param([], "names of the robot's cameras; empty takes any")
    rate_hz: float = param(0.0, "steps of a chunk a second; 0 takes any", unit="Hz", ge=0, le=1000)

    def action_values(self) -> dict[str, Any]:
        """What `check_spec` compares, without what takes anything."""
        values = self.model_dump(exclude={"cameras", "rate_hz"})
        values["joint_names"] = tuple(self.joint_names)
        return {name: value for name, value in values.items() if value}


def _place(description: str) -> Any:
    return param([0.0, 0.0, 0.0], description, unit="m", min_length=3, max_length=3)


def _turn(description: str) -> Any:
    return param([0.0, 0.0, 0.0, 1.0], description, min_length=4, max_length=4)


class FramesConfig(Params):
    """The robot's frames that stand for the policy's, and how the policy's lie in them."""

    base: str = param(
        "", "the robot's frame that poses and commands are in; empty: expected.frame_id"
    )
    base_position_m: list[float] = _place("of the policy's base in frames.base")
    base_quaternion_xyzw: list[float] = _turn("from the policy's base to frames.base")
    tool: str = param("", "the robot's frame that is commanded; empty: expected.tool_frame_id")
    tool_position_m: list[float] = _place("of the policy's tool point in frames.tool")
    tool_quaternion_xyzw: list[float] = _turn(
        "from the policy's tool (z out of the hand, fingers along y) to frames.tool"
    )


class PolicyNodeConfig(PolicyConfig):
    """The policy node: the policy, the robot's topics and the node's reports."""

    uptake = Uptake.CONFIGURE

    autostart: bool = param(True, "configure and activate at start; false: wait for transitions")
    perception: str = param(
        "perception", "name of the perception node whose topics are read from another process"
    )
    report_period_s: float = param(
        1.0, "time between two reports on /diagnostics", unit="s", ge=0.1, le=60
    )
    max_age_s: float = param(
        0.1, "warn when the 95th percentile of camera to command is above", unit="s", gt=0, le=60
    )
    camera_pose: CameraPoseConfig = CameraPoseConfig()
    transforms: TransformConfig = TransformConfig()
    gripper: GripperConfig = GripperConfig()
    tool_pose: ToolPoseConfig = ToolPoseConfig()
    expected: ExpectedConfig = ExpectedConfig()
    frames: FramesConfig = FramesConfig()

    def frame_map(self) -> FrameMap:
        """The way between both sides' frames. Raises `ConfigError` for a turn of no direction."""
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
    """Raises `ConfigError` that names the parameter."""
    if not np.isfinite([*position_m, *quaternion_xyzw]).all():
        raise ConfigError(f"{name}_position_m {position_m}: expected finite numbers")
    try:
        return transform_from_quaternion(np.array(position_m), np.array(quaternion_xyzw))
    except ValueError as error:
        raise ConfigError(f"{name}_quaternion_xyzw: {error}") from error


class RobotSimConfig(Params):
    """The simulated robot: what it shows, how fast, and how it takes commands."""

    seed: int = param(0, "of the first scene; ~/reset takes the next one", ge=0, le=2**31 - 1)
    task: Literal["any", "pick", "put", "push"] = param("any", "kind of the tasks")
    arm: Literal["seven", "six"] = param("seven", "which arm, by the number of its joints")
    camera_hz: float = param(10.0, "rate of the cameras", unit="Hz", gt=0, le=60)
    wrist_camera: bool = param(False, "publish the wrist camera's colour on wrist/rgb as well")
    fixed_camera: bool = param(
        False, "the front camera at its usual place in all scenes, not somewhere near it"
    )
    state_hz: float = param(50.0, "rate of joint_states and tool_pose", unit="Hz", gt=0, le=500)
    speed: float = param(
        1.0,
        "simulated seconds per second; other than 1: /clock; 0: as fast as it can",
        ge=0,
        le=100,
    )
    lead_s: float = param(
        0.06,
        "pictures are drawn so long before their moment, commands act so late",
        unit="s",
        ge=0,
        le=0.5,
    )
    command: Literal["pose", "twist", "joint"] = param(
        "pose", "which command of the policy is followed; joint: joint trajectories"
    )
    command_timeout_s: float = param(
        0.1, "older commands are refused, and a twist ends after so long", unit="s", gt=0, le=10
    )
