"""Plays a rosbag2 recording into the service, in the recording's own time.

ros2 launch robot_vision replay.launch.py bag:=path rgb:=/camera/color/image_raw rviz:=true
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import SetParameter
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    perception = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "perception.launch.py"]
    )
    play = ["ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "100"]
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="recording"),
            DeclareLaunchArgument("rate", default_value="1.0", description="playback rate"),
            SetParameter(name="use_sim_time", value=True),
            IncludeLaunchDescription(PythonLaunchDescriptionSource(perception)),
            ExecuteProcess(cmd=[*play, "--rate", LaunchConfiguration("rate")], output="screen"),
        ]
    )
