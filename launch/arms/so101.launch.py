"""An SO-101: so_arm101_description's driver, and the service by joint positions.

ros2 launch robot_vision so101.launch.py usb_port:=/dev/ttyACM0 rgb:=/camera/color/image_raw \
    depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info
Five joints: docs/arms.md says which poses they cannot reach, and what to check before
/policy/enable is called; nothing moves before. All arguments of vla.launch.py can be given as
well, but for `namespace`.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

DRIVER = FindPackageShare("so_arm101_description")
# What the driver is given; it fails on names with a dot, as some of ours are.
OF_DRIVER = ("usb_port", "hardware_type", "ros2_control_xacro_file", "controller_config_file")


def generate_launch_description() -> LaunchDescription:
    driver = PathJoinSubstitution([DRIVER, "launch", "controllers_bringup.launch.py"])
    share = FindPackageShare("robot_vision")
    service = PathJoinSubstitution([share, "launch", "arms", "service.launch.py"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "usb_port", default_value="/dev/ttyACM0", description="of the servos' adapter"
            ),
            DeclareLaunchArgument(
                "hardware_type",
                default_value="real",
                choices=["real", "mock_components"],
                description="mock_components: without a robot",
            ),
            DeclareLaunchArgument(
                "ros2_control_xacro_file",
                default_value=PathJoinSubstitution(
                    [DRIVER, "control", "so_arm101.ros2_control.xacro"]
                ),
                description="with the offsets of your servos",
            ),
            DeclareLaunchArgument(
                "controller_config_file",
                default_value=PathJoinSubstitution(
                    [share, "config", "arms", "so101", "controllers.yaml"]
                ),
                description="what the driver's controllers are given",
            ),
            GroupAction(
                [
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(driver),
                        launch_arguments={
                            "usb_port": LaunchConfiguration("usb_port"),
                            "hardware_type": LaunchConfiguration("hardware_type"),
                            "ros2_control_xacro_file": LaunchConfiguration(
                                "ros2_control_xacro_file"
                            ),
                            "controller_config_file": LaunchConfiguration(
                                "controller_config_file"
                            ),
                        }.items(),
                    )
                ],
                forwarding=False,
                launch_configurations={name: LaunchConfiguration(name) for name in OF_DRIVER},
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(service),
                launch_arguments={
                    "arm": "so101",
                    "control": "joints",
                    "spawned": "",
                    "trajectory_topic": "/joint_trajectory_controller/joint_trajectory",
                }.items(),
            ),
        ]
    )
