"""A WidowX 250 6DOF: its driver, a controller manager, and the service by joint positions.

ros2 launch robot_vision wx250s.launch.py rgb:=/camera/color/image_raw \
    depth:=/camera/aligned_depth_to_color/image_raw camera_info:=/camera/color/camera_info
The arm goes to its sleep pose at the start: interbotix_xs_ros_control sends it there. Nothing
else moves before /wx250s/policy/enable is called: docs/arms.md says what to check before.
All arguments of vla.launch.py can be given as well, but for `namespace`.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

ROBOT = "wx250s"


def generate_launch_description() -> LaunchDescription:
    driver = PathJoinSubstitution(
        [FindPackageShare("interbotix_xsarm_control"), "launch", "xsarm_control.launch.py"]
    )
    share = FindPackageShare("robot_vision")
    service = PathJoinSubstitution([share, "launch", "arms", "service.launch.py"])
    controllers = PathJoinSubstitution([share, "config", "arms", ROBOT, "controllers.yaml"])
    # Position mode with short profiles; those of xsarm_control take two seconds for each command.
    modes = PathJoinSubstitution(
        [FindPackageShare("interbotix_xsarm_ros_control"), "config", "modes.yaml"]
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "use_sim", default_value="false", description="simulated motors: without a robot"
            ),
            # In a group, so that what the driver declares stays its own.
            GroupAction(
                [
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(driver),
                        launch_arguments={
                            "robot_model": ROBOT,
                            "robot_name": ROBOT,
                            "use_rviz": "false",
                            "mode_configs": modes,
                            "use_sim": LaunchConfiguration("use_sim"),
                        }.items(),
                    )
                ]
            ),
            Node(
                package="controller_manager",
                executable="ros2_control_node",
                namespace=ROBOT,
                parameters=[controllers],
                output="screen",
            ),
            Node(
                package="controller_manager",
                executable="spawner",
                name="gripper_spawner",
                arguments=[
                    "gripper_controller",
                    "--controller-manager",
                    f"/{ROBOT}/controller_manager",
                    "--param-file",
                    controllers,
                ],
                output="screen",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(service),
                launch_arguments={
                    "arm": ROBOT,
                    "control": "joints",
                    "namespace": ROBOT,
                    "controller_manager": f"/{ROBOT}/controller_manager",
                    "trajectory_topic": f"/{ROBOT}/arm_trajectory_controller/joint_trajectory",
                }.items(),
            ),
        ]
    )
