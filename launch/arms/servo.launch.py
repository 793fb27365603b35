"""MoveIt Servo with the parameters of an arm, switched to the kind of command that it gets.

Included by service.launch.py.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import (
    Command,
    FindExecutable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    folder = [FindPackageShare("robot_vision"), "config", "arms", LaunchConfiguration("arm")]
    srdf = Command([FindExecutable(name="xacro"), " ", LaunchConfiguration("srdf")])
    servo = Node(
        package="moveit_servo",
        executable="servo_node",
        name="servo_node",
        output="screen",
        parameters=[
            PathJoinSubstitution([*folder, "servo.yaml"]),
            PathJoinSubstitution([*folder, "moveit.yaml"]),
            {"robot_description_semantic": ParameterValue(srdf, value_type=str)},
        ],
    )
    # moveit_msgs/ServoCommandType: 1 twist, 2 pose. Until it is switched, Servo follows nothing.
    kind = PythonExpression(["{'twist': 1, 'pose': 2}['", LaunchConfiguration("control"), "']"])
    switch = ExecuteProcess(
        cmd=[
            FindExecutable(name="ros2"),
            "service",
            "call",
            "/servo_node/switch_command_type",
            "moveit_msgs/srv/ServoCommandType",
            ["{command_type: ", kind, "}"],
        ],
        output="screen",
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("arm", description="folder of config/arms"),
            DeclareLaunchArgument("srdf", description="xacro file of the SRDF, and its arguments"),
            DeclareLaunchArgument("control", description="twist or pose"),
            servo,
            switch,
        ]
    )
