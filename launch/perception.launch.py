"""The perception node, optionally with the policy in its process: one process per namespace.

ros2 launch robot_vision perception.launch.py rgb:=/camera/color/image_raw \
    depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info
"""

import json
import os
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
TOPICS = {
    "rgb": "colour images",
    "depth": "depth images, registered to colour",
    "camera_info": "intrinsics of the colour camera",
    "robot_description": "the robot's URDF, to exclude its links from detections",
    "joint_states": "positions of the arm's joints and of the gripper",
    "camera_pose": "pose of the camera in the base frame, if camera_pose.source is topic",
}
POLICY_TOPICS = {
    "tool_pose": "pose of the tool in the base frame",
    "instruction": "instruction for the arm, std_msgs/String",
    "heartbeat": "dead-man switch, std_msgs/Empty, if watchdog.heartbeat_s is set",
}
# Parameters set by arguments; an empty argument leaves them to the parameter files.
PARAMETERS = {
    "model": (str, "model bundle: a name in the store or a folder"),
    "device": (str, "auto, cpu, cuda or tensorrt"),
    "target_frame": (str, "frame of the 3-D outputs"),
    "camera_pose.source": (str, "source of the camera's pose: tf, topic or parameters"),
    "autostart": (bool, "false leaves configuring and activating to a lifecycle manager"),
    "use_sim_time": (bool, "use the time from /clock"),
}
POLICY_PARAMETERS = {
    "policy": (str, "policy bundle: a name in the store or a folder"),
    "joint_space.enabled": (bool, "also command joints, using robot_description"),
    "gripper.action": (
        str,
        "none, GripperCommand or ParallelGripperCommand",
    ),
    "gripper.action_name": (str, "name of that action"),
    "frames.tool_position_m": (
        list,
        "position of the policy's tool point in frames.tool: [0.0, 0.0, 0.1]",
    ),
}
# Settings of a camera in `policy_cameras`.
CAMERA_PARAMETERS = {"rgb": str, "depth": str, "raw_unit_m": float}


def share(*parts: str) -> PathJoinSubstitution:
    return PathJoinSubstitution([FindPackageShare("robot_vision"), *parts])


def nodes(context: LaunchContext) -> list[Node]:
    """One process for each of the namespaces; topics without a leading / are below them."""

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    def process(executable: str, namespace: str, **more: Any) -> Node:
        return Node(
            package="robot_vision",
            executable=executable,
            namespace=namespace,
            output="screen",
            **more,
        )

    with_policy = is_true("with_policy", given("with_policy"))
    topics, parameters = dict(TOPICS), dict(PARAMETERS)
    files = [given("params_file")]
    if with_policy:
        topics |= POLICY_TOPICS
        parameters |= POLICY_PARAMETERS
        files.append(given("policy_params_file"))
    # On the command line, where they override every parameter file.
    values = {
        name: in_yaml(name, given(name), kind)
        for name, (kind, _) in parameters.items()
        if given(name)
    }
    if with_policy:
        values |= camera_parameters(given("policy_cameras"))
    clock = {name: value for name, value in values.items() if name == "use_sim_time"}
    # A name given here would apply to all nodes of the process.
    alone = {} if with_policy else {"name": "perception"}
    started = []
    for number, namespace in enumerate(name.strip() for name in given("namespace").split(",")):
        started.append(
            process(
                "vla_node" if with_policy else "perception_node",
                namespace,
                parameters=files,
                ros_arguments=as_arguments(values),
                remappings=[(topic, given(topic)) for topic in topics],
                **alone,
            )
        )
        if is_true("console", given("console")):
            started.append(
                process(
                    "console_node",
                    namespace,
                    remappings=[(topic, given(topic)) for topic in ("rgb", "instruction")],
                    ros_arguments=as_arguments(
                        clock | {"port": str(int(given("console_port")) + number)}
                    ),
                )
            )
        if is_true("robot_sim", given("robot_sim")):
            started.append(process("robot_sim", namespace))
    return started


def as_arguments(values: dict[str, str]) -> list[str]:
    """ROS arguments that set parameters."""
    return [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]


def is_true(name: str, value: str) -> bool:
    """Parse an argument as true or false."""
    known = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in known:
        raise ValueError(f"{name}:={value}; expected true or false")
    return known[value.lower()]


def in_yaml(name: str, value: str, kind: type) -> str:
    """The value of a parameter as ROS parses it: text that looks like a number stays text."""
    read = {bool: is_true, float: number, list: floats}
    return json.dumps(read[kind](name, value) if kind in read else value)


def camera_parameters(text: str) -> dict[str, str]:
    """Parameters of the policy's cameras, as ROS parses them, from `wrist.rgb:=/hand/rgb …`."""
    values = {}
    for word in text.split():
        name, _, value = word.partition(":=")
        camera, _, kind = name.rpartition(".")
        if not (camera.isidentifier() and kind in CAMERA_PARAMETERS and value):
            raise ValueError(
                f"policy_cameras has {word!r}; expected CAMERA.rgb:=TOPIC, CAMERA.depth:=TOPIC "
                "or CAMERA.raw_unit_m:=METRES, separated by spaces"
            )
        values[f"cameras.{name}"] = in_yaml(name, value, CAMERA_PARAMETERS[kind])
    return values


def number(name: str, value: str) -> float:
    """Parse an argument as a number."""
    try:
        return float(value)
    except ValueError as error:
        raise ValueError(f"{name}:={value}; expected a number") from error


def floats(name: str, value: str) -> list[float]:
    """Parse an argument as numbers."""
    try:
        return [float(each) for each in json.loads(value)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}:={value}; expected numbers such as [0.0, 0.0, 0.1]") from error


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(
            "namespace", default_value="", description="namespace of the node, or several: a,b,c"
        ),
        DeclareLaunchArgument(
            "params_file", default_value=share("config", "perception.yaml"), description="YAML"
        ),
        DeclareLaunchArgument(
            "with_policy", default_value="false", description="also start the policy"
        ),
        DeclareLaunchArgument(
            "policy_params_file", default_value=share("config", "policy.yaml"), description="YAML"
        ),
        DeclareLaunchArgument(
            "policy_cameras",
            default_value="",
            description="topics of a policy from pixels: 'front.depth:=/d wrist.rgb:=/hand/rgb'",
        ),
        DeclareLaunchArgument(
            "console", default_value="false", description="also serve the web page"
        ),
        DeclareLaunchArgument(
            "console_port",
            default_value="8088",
            description="port of the web page; further namespaces use the next ones",
        ),
        DeclareLaunchArgument(
            "robot_sim", default_value="false", description="also start the simulated robot"
        ),
        DeclareLaunchArgument("rviz", default_value="false", description="also start RViz"),
    ]
    arguments += [
        DeclareLaunchArgument(name, default_value=name, description=f"topic: {text}")
        for name, text in (TOPICS | POLICY_TOPICS).items()
    ]
    arguments += [
        DeclareLaunchArgument(name, default_value="", description=text)
        for name, (_, text) in (PARAMETERS | POLICY_PARAMETERS).items()
    ]
    profile = share("config", "fastdds_shm.xml")
    environment = []
    if PROFILE_VARIABLE not in os.environ:
        environment = [SetEnvironmentVariable(PROFILE_VARIABLE, profile)]
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", share("config", "rviz", "perception.rviz")],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=nodes), rviz])
