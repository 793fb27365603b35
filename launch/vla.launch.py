"""The whole service: perception and policy in one process.

Takes the arguments of perception.launch.py, `console:=true` among them. Nothing moves before
~/enable is called.
ros2 launch robot_vision vla.launch.py rgb:=/camera/color/image_raw model:=native-s
ros2 launch robot_vision vla.launch.py rgb:=/camera/color/image_raw policy:=bundles/mine \
    policy_cameras:="wrist.rgb:=/wrist/image_raw"
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    perception = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "perception.launch.py"]
    )
    # Arguments of this launch file are visible to included ones.
    service = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(perception),
        launch_arguments={"with_policy": LaunchConfiguration("with_policy")}.items(),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "with_policy", default_value="true", description="false: perception only"
            ),
            service,
        ]
    )
