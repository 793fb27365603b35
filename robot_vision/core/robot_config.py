"""Parameters of the robot's side of the graph: the policy node, and the simulated robot."""

from typing import Literal

from robot_vision.core.config import Params, TransformConfig, param
from robot_vision.core.policy_config import PolicyConfig


class CameraPoseConfig(Params):
    """Where the camera stands: the pose of its optical frame in the base frame."""

    source: Literal["tf", "topic", "parameters"] = param(
        "tf", "tf: by tf2; topic: PoseStamped on camera_pose; parameters: the two below"
    )
    position_m: list[float] = param(
        [0.0, 0.0, 0.0], "of the camera in the base frame", unit="m", min_length=3, max_length=3
    )
    quaternion_xyzw: list[float] = param(
        [0.0, 0.0, 0.0, 1.0], "from the optical to the base frame", min_length=4, max_length=4
    )


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

    frame_id: str = param("base", "frame of tool poses and commands")
    tool_frame_id: str = param("tool", "frame that is commanded")
    rotation: str = param("rotation_vector", "how turns are given in actions")
    gripper: str = param("0_closed_1_open", "polarity of the gripper")
    statistics_sha256: str = param("", "hash of the policy's statistics; empty takes any")


class PolicyNodeConfig(PolicyConfig):
    """The policy node: the policy, the robot's topics and the node's reports."""

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


class RobotSimConfig(Params):
    """The simulated robot: what it shows, how fast, and how it takes commands."""

    seed: int = param(0, "of the first scene; ~/reset takes the next one", ge=0, le=2**31 - 1)
    task: Literal["any", "pick", "put", "push"] = param("any", "kind of the tasks")
    arm: Literal["seven", "six"] = param("seven", "which arm, by the number of its joints")
    camera_hz: float = param(10.0, "rate of the cameras", unit="Hz", gt=0, le=60)
    wrist_camera: bool = param(False, "publish the wrist camera's colour on wrist/rgb as well")
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
