"""The whole service: perception and policy in one process, on request the console beside them.

Takes the arguments of perception.launch.py. Nothing moves before the service ~/enable is called.
ros2 launch robot_vision vla.launch.py rgb:=/camera/color/image_raw model:=native-s
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    perception = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "perception.launch.py"]
    )
    # Arguments of this launch are visible to what it includes.
    service = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(perception),
        launch_arguments={"with_policy": LaunchConfiguration("with_policy")}.items(),
    )
    console = Node(
        package="robot_vision",
        executable="console_node",
        namespace=LaunchConfiguration("namespace", default=""),
        remappings=[
            (topic, LaunchConfiguration(topic, default=topic)) for topic in ("rgb", "instruction")
        ],
        output="screen",
        condition=IfCondition(LaunchConfiguration("console")),
    )
    robot = Node(
        package="robot_vision",
        executable="robot_sim",
        output="screen",
        condition=IfCondition(LaunchConfiguration("robot_sim")),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "with_policy", default_value="true", description="false: perception alone"
            ),
            DeclareLaunchArgument(
                "console", default_value="false", description="serve the web page on port 8088"
            ),
            DeclareLaunchArgument(
                "robot_sim", default_value="false", description="start the simulated robot as well"
            ),
            service,
            console,
            robot,
        ]
    )
