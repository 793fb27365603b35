"""A Franka Research 3 with its hand: driver, MoveIt Servo or our kinematics, and the service.

ros2 launch robot_vision fr3.launch.py robot_ip:=172.16.0.2 rgb:=/camera/color/image_raw \
    depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info
All arguments of vla.launch.py can be given as well. Nothing moves before /policy/enable is
called: docs/arms.md says what to check before.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, PythonExpression
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    driver = PathJoinSubstitution(
        [FindPackageShare("franka_bringup"), "launch", "franka.launch.py"]
    )
    service = PathJoinSubstitution(
        [FindPackageShare("robot_vision"), "launch", "arms", "service.launch.py"]
    )
    srdf = PathJoinSubstitution(
        [FindPackageShare("franka_description"), "robots", "fr3", "fr3.srdf.xacro"]
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("robot_ip", description="address of the robot's controller"),
            DeclareLaunchArgument(
                "control",
                default_value="pose",
                choices=["pose", "twist", "joints"],
                description="MoveIt Servo by poses or twists, or joints by our own kinematics",
            ),
            DeclareLaunchArgument(
                "use_fake_hardware", default_value="false", description="try it without a robot"
            ),
            DeclareLaunchArgument(
                "gripper.action",
                default_value=PythonExpression(
                    [
                        "'none' if '",
                        LaunchConfiguration("use_fake_hardware"),
                        "'.lower() == 'true' else 'GripperCommand'",
                    ]
                ),
                choices=["none", "GripperCommand"],
                description="franka_gripper's; fake hardware has none",
            ),
            # In a group, so that what the driver declares stays its own.
            GroupAction(
                [
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(driver),
                        launch_arguments={
                            "robot_type": "fr3",
                            "namespace": "",
                            "robot_ip": LaunchConfiguration("robot_ip"),
                            "load_gripper": "true",
                            "use_fake_hardware": LaunchConfiguration("use_fake_hardware"),
                            # Its 30 Hz are too few for commands to start and to be watched by.
                            "joint_state_rate": "100",
                        }.items(),
                    )
                ]
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(service),
                launch_arguments=[
                    ("arm", "fr3"),
                    ("control", LaunchConfiguration("control")),
                    ("srdf", [srdf, " hand:=true"]),
                ],
            ),
        ]
    )
