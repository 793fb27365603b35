"""Every topic that the node `policy` publishes or subscribes to: the only list of them.

`ros/policy` makes its publishers and subscriptions from these rows. Topics whose names are
parameters have `<…>` in them; /diagnostics, which all nodes publish, and TF are not listed.
"""

from dataclasses import dataclass

from robot_vision.topics.quality import COMMANDS, FRAMES, LATCHED, NEWEST, RESULTS, Quality


@dataclass(frozen=True, kw_only=True)
class PolicyTopic:
    """A topic and its purpose (`about`).

    `name` is relative to the node's namespace; `~/` stands for the node itself. `role` is the name
    of an input in /diagnostics. `any_qos`: publishers of any QoS are received, and so is what they
    latched before; `quality` is then the weakest one requested.
    """

    name: str
    type_name: str
    quality: Quality
    about: str
    role: str = ""
    any_qos: bool = False


OUTPUTS = (
    PolicyTopic(
        name="~/command/pose",
        type_name="geometry_msgs/msg/PoseStamped",
        quality=COMMANDS,
        about="where the tool should be now, in the base frame, at every tick",
    ),
    PolicyTopic(
        name="~/command/twist",
        type_name="geometry_msgs/msg/TwistStamped",
        quality=COMMANDS,
        about="velocity of the commanded tool pose, for servo controllers",
    ),
    PolicyTopic(
        name="~/command/gripper",
        type_name="sensor_msgs/msg/JointState",
        quality=COMMANDS,
        about="commanded opening of the gripper, 0 closed to 1 open",
    ),
    PolicyTopic(
        name="~/command/joint_trajectory",
        type_name="trajectory_msgs/msg/JointTrajectory",
        quality=COMMANDS,
        about="commanded joint positions (joint_space.enabled)",
    ),
    PolicyTopic(
        name="~/command/joint_velocity",
        type_name="std_msgs/msg/Float64MultiArray",
        quality=COMMANDS,
        about="commanded joint velocities (joint_space.enabled); zeros when commands end",
    ),
    PolicyTopic(
        name="~/command/observation",
        type_name="std_msgs/msg/Header",
        quality=COMMANDS,
        about="stamp of the camera frame behind the latest command",
    ),
    PolicyTopic(
        name="~/action",
        type_name="sensor_msgs/msg/JointState",
        quality=RESULTS,
        about="each command as a named 7-vector (x y z rx ry rz gripper), for recording",
    ),
    PolicyTopic(
        name="~/action_chunk",
        type_name="trajectory_msgs/msg/MultiDOFJointTrajectory",
        quality=RESULTS,
        about="tool poses of each admitted chunk; its stamp is the observation's",
    ),
    PolicyTopic(
        name="~/gripper_chunk",
        type_name="trajectory_msgs/msg/JointTrajectory",
        quality=RESULTS,
        about="gripper openings of each admitted chunk, with the same stamp",
    ),
    PolicyTopic(
        name="~/action_chunk/json",
        type_name="std_msgs/msg/String",
        quality=RESULTS,
        about="the chunk with its gripper and the policy's identity (core/results/policy_chunk)",
    ),
    PolicyTopic(
        name="~/attention",
        type_name="sensor_msgs/msg/Image",
        quality=RESULTS,
        about="where the policy looks, as weights over the camera image",
    ),
    PolicyTopic(
        name="~/status/json",
        type_name="std_msgs/msg/String",
        quality=RESULTS,
        about="state, reasons to hold, figures and interventions (core/results/policy_status)",
    ),
    PolicyTopic(
        name="~/action_spec",
        type_name="std_msgs/msg/String",
        quality=LATCHED,
        about="what the numbers of actions mean: frames, rotation, step, polarity, statistics",
    ),
)

# Parts of a robot's state come from several publishers: one must not replace the other's.
_JOINTS = Quality(reliable=False, kept=10)

ROBOT_INPUTS = (
    PolicyTopic(
        name="joint_states",
        type_name="sensor_msgs/msg/JointState",
        quality=_JOINTS,
        about="joints of the arm and its gripper",
        role="joint_states",
    ),
    PolicyTopic(
        name="heartbeat",
        type_name="std_msgs/msg/Empty",
        quality=NEWEST,
        about="from the operator: the arm holds when it stops (watchdog.heartbeat_s)",
        role="heartbeat",
    ),
    PolicyTopic(
        name="tool_pose",
        type_name="geometry_msgs/msg/PoseStamped",
        quality=NEWEST,
        about="measured pose of the tool in the base frame (tool_pose.source: topic)",
        role="tool_pose",
    ),
    PolicyTopic(
        name="instruction",
        type_name="std_msgs/msg/String",
        quality=NEWEST,
        about="what the arm is to do; an empty text withdraws it",
        role="instruction",
        any_qos=True,
    ),
    PolicyTopic(
        name="robot_description",
        type_name="std_msgs/msg/String",
        quality=NEWEST,
        about="URDF of the arm, to compare joints with the tool and for joint space",
        role="robot_description",
        any_qos=True,
    ),
)

PERCEPTION_INPUTS = (
    PolicyTopic(
        name="<perception>/objects/json",
        type_name="std_msgs/msg/String",
        quality=FRAMES,
        about="tracked objects of a frame (as all rows with <perception>: from another process)",
        role="objects",
    ),
    PolicyTopic(
        name="<perception>/features",
        type_name="sensor_msgs/msg/Image",
        quality=FRAMES,
        about="feature grid of the frame",
        role="features",
    ),
    PolicyTopic(
        name="<perception>/embedding",
        type_name="sensor_msgs/msg/Image",
        quality=FRAMES,
        about="embedding of the frame",
        role="embedding",
    ),
    PolicyTopic(
        name="<perception>/depth/image",
        type_name="sensor_msgs/msg/Image",
        quality=FRAMES,
        about="metric depth of the frame",
        role="metric depth",
    ),
    PolicyTopic(
        name="<perception>/depth/confidence",
        type_name="sensor_msgs/msg/Image",
        quality=FRAMES,
        about="confidence of that depth",
        role="depth confidence",
    ),
    PolicyTopic(
        name="<perception>/grounded/json",
        type_name="std_msgs/msg/String",
        quality=FRAMES,
        about="objects that the prompt names (pointing.grounded)",
        role="grounded",
    ),
    PolicyTopic(
        name="rgb",
        type_name="sensor_msgs/msg/Image",
        quality=FRAMES,
        about="the colour image that perception worked on",
        role="colour",
    ),
    PolicyTopic(
        name="camera_info",
        type_name="sensor_msgs/msg/CameraInfo",
        quality=FRAMES,
        about="intrinsics of that camera, repeated or latched",
        role="camera_info",
    ),
)

CAMERA_COLOR = PolicyTopic(
    name="<cameras.NAME.rgb>",
    type_name="sensor_msgs/msg/Image",
    quality=FRAMES,
    about="colour of a named camera, for a policy from pixels",
    role="camera NAME",
)
CAMERA_DEPTH = PolicyTopic(
    name="<cameras.NAME.depth>",
    type_name="sensor_msgs/msg/Image",
    quality=FRAMES,
    about="depth of a named camera, where the policy takes it",
    role="depth of NAME",
)

INPUTS = (*ROBOT_INPUTS, *PERCEPTION_INPUTS, CAMERA_COLOR, CAMERA_DEPTH)
