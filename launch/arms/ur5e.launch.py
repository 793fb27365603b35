"""A UR5e: its driver, MoveIt Servo or our inverse kinematics, perception and policy.

ros2 launch robot_vision ur5e.launch.py robot_ip:=192.168.56.101 tool_z_m:=0.16 \
    rgb:=/camera/color/image_raw depth:=/camera/aligned_depth_to_color/image_raw \
    camera_info:=/camera/color/camera_info
All arguments of vla.launch.py can be given as well. Nothing moves before /policy/enable is
called: docs/arms.md says what to check before.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    driver = PathJoinSubstitution(
        [FindPackageShare("ur_robot_driver"), "launch", "ur_control.launch.py"]
    )
    service = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "arms", "service.launch.py"]
    )
    srdf = PathJoinSubstitution([FindPackageShare("ur_moveit_config"), "srdf", "ur.srdf.xacro"])
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_ip", description="address of the robot's controller"),
            # Without the tool's length the hand would be led into the table.
            DeclareLaunchArgument(
                "tool_z_m", description="from tool0 to the middle between the fingertips [m]"
            ),
            DeclareLaunchArgument(
                "control",
                default_value="pose",
                choices=["pose", "twist", "joints"],
                description="MoveIt Servo by poses or twists, or joints by our own kinematics",
            ),
            DeclareLaunchArgument(
                "use_mock_hardware", default_value="false", description="try it without a robot"
            ),
            DeclareLaunchArgument(
                "headless_mode", default_value="false", description="no program on the pendant"
            ),
            DeclareLaunchArgument(
                "gripper.action",
                default_value="none",
                choices=["none", "GripperCommand", "ParallelGripperCommand"],
                description="of the gripper's driver, which is yours to start",
            ),
            # In a group, so that what the driver declares stays its own.
            GroupAction(
                [
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(driver),
                        launch_arguments={
                            "ur_type": "ur5e",
                            "robot_ip": LaunchConfiguration("robot_ip"),
                            "use_mock_hardware": LaunchConfiguration("use_mock_hardware"),
                            "headless_mode": LaunchConfiguration("headless_mode"),
                            "activate_joint_controller": "false",
                            "launch_rviz": "false",
                        }.items(),
                    )
                ]
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(service),
                launch_arguments=[
                    ("arm", "ur5e"),
                    ("control", LaunchConfiguration("control")),
                    ("srdf", [srdf, " name:=ur5e"]),
                    (
                        "frames.tool_position_m",
                        ["[0.0, 0.0, ", LaunchConfiguration("tool_z_m"), "]"],
                    ),
                ],
            ),
        ]
    )
