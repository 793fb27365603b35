"""The whole service. Perception takes the arguments of perception.launch.py.

ros2 launch robot_vision vla.launch.py rgb:=/camera/color/image_raw model:=native-s
"""

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    perception = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "perception.launch.py"]
    )
    # Arguments of this launch are visible to what it includes.
    return LaunchDescription([IncludeLaunchDescription(PythonLaunchDescriptionSource(perception))])
