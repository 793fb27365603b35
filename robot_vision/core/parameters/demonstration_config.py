"""Parameters of the demonstration recorder: its topics and limits."""

from typing import Literal

from robot_vision.core.parameters.config import Params, TransformConfig, param
from robot_vision.core.parameters.groups.arm_config import PlausibleArmConfig
from robot_vision.core.parameters.robot_config import GripperConfig


class ToleranceConfig(Params):
    """How far in time a sample may be from its slot on the dataset's grid."""

    camera_s: float = param(0.03, "image from its slot", unit="s", gt=0, le=10)
    depth_s: float = param(0.02, "depth image from its colour image", unit="s", gt=0, le=10)
    robot_s: float = param(
        0.1, "joint states and tool poses from the time they are used for", unit="s", gt=0, le=10
    )
    command_s: float = param(
        0.2, "age at or above which a command counts as held", unit="s", gt=0, le=10
    )
    wait_s: float = param(0.5, "how long a slot waits for late samples", unit="s", ge=0, le=2)


class RecordingLimits(Params):
    """When recording stops automatically; recorded frames are kept."""

    max_episode_s: float = param(600.0, "longest episode", unit="s", gt=0, le=7200)
    max_gap_s: float = param(1.0, "longest time without an image of a camera", unit="s", gt=0)
    max_gb: float = param(0.0, "largest size of the dataset; 0: no limit", unit="GB", ge=0)
    min_free_gb: float = param(1.0, "disk space that must stay free", unit="GB", ge=0)


class DemonstrationConfig(Params):
    """The node `demonstrations`."""

    dataset: str = param(
        "demonstrations", "folder of the dataset; an existing dataset is appended to"
    )
    fps: int = param(20, "frames per second of the dataset", unit="1/s", ge=1, le=240)
    robot_type: str = param("unknown", "name of the robot, stored in the dataset")
    cameras: list[str] = param(
        ["front"], "cameras; each has the topics NAME/rgb and NAME/camera_info"
    )
    depth_cameras: list[str] = param([], "cameras that also have NAME/depth, aligned to colour")
    rgb_transport: Literal["raw", "compressed"] = param("raw", "of NAME/rgb")
    depth_transport: Literal["raw", "compressed"] = param("raw", "of NAME/depth")
    raw_unit_m: float = param(0.001, "metres per step of 16-bit depth", unit="m", gt=0, le=1)
    transforms: TransformConfig = TransformConfig()
    camera_pose: Literal["tf", "topic", "none"] = param(
        "topic",
        "camera poses: tf: by tf2; topic: PoseStamped on NAME/camera_pose; none: not recorded",
    )
    action_source: Literal["pose", "steps", "measured"] = param(
        "pose",
        "pose: command/pose and command/gripper; steps: the seven numbers of command/action; "
        "measured: the tool's measured poses (hand guiding)",
    )
    joints: list[str] = param(
        [], "joints to record, in this order; empty: all that joint_states reports"
    )
    frame_id: str = param("base", "frame of tool poses and commands")
    tool_frame_id: str = param("tool", "frame that is commanded")
    gripper: GripperConfig = GripperConfig()
    # Recorded states command nothing: an arm may keep moving while the recorder receives nothing.
    arm: PlausibleArmConfig = PlausibleArmConfig(gap_s=1.0)
    tolerance: ToleranceConfig = ToleranceConfig()
    limits: RecordingLimits = RecordingLimits()
