"""What all arms share: the controller, MoveIt Servo where it is used, perception and policy.

Included by the launch files of the arms. All arguments of vla.launch.py can be given as well.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node, SetRemap
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare("robot_vision")
# By what the arm is moved: the policy's command, and who hears it.
SERVO = {
    "pose": ("~/command/pose", "/servo_node/pose_target_cmds"),
    "twist": ("~/command/twist", "/servo_node/delta_twist_cmds"),
}


def included(*parts: str, **arguments: object) -> IncludeLaunchDescription:
    source = PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, "launch", *parts]))
    return IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))


def started(context: LaunchContext) -> list[Node | GroupAction | IncludeLaunchDescription]:
    control = LaunchConfiguration("control").perform(context)
    folder = [SHARE, "config", "arms", LaunchConfiguration("arm")]
    parameters = PathJoinSubstitution([*folder, "robot_vision.yaml"])
    command, topic = SERVO.get(
        control, ("~/command/joint_trajectory", LaunchConfiguration("trajectory_topic"))
    )
    spawned = LaunchConfiguration("spawned").perform(context)
    spawner = Node(
        package="controller_manager",
        executable="spawner",
        name="arm_trajectory_spawner",
        arguments=[
            spawned,
            "--controller-manager",
            LaunchConfiguration("controller_manager"),
            "--param-file",
            PathJoinSubstitution([*folder, "controllers.yaml"]),
        ],
        output="screen",
    )
    service = included(
        "vla.launch.py",
        params_file=parameters,
        policy_params_file=parameters,
        **{"joint_space.enabled": str(control == "joints").lower()},
    )
    controllers = [spawner] if spawned else []
    return [*controllers, *servo(control), GroupAction([SetRemap(command, topic), service])]


def servo(control: str) -> list[IncludeLaunchDescription]:
    if control not in SERVO:
        return []
    known = {name: LaunchConfiguration(name) for name in ("arm", "srdf")}
    return [included("arms", "servo.launch.py", control=control, **known)]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument("arm", description="folder of config/arms"),
            DeclareLaunchArgument("control", choices=[*SERVO, "joints"], description="by what"),
            DeclareLaunchArgument(
                "spawned",
                default_value="arm_trajectory_controller",
                description="controller to spawn; empty where the driver does",
            ),
            DeclareLaunchArgument("controller_manager", default_value="/controller_manager"),
            DeclareLaunchArgument(
                "trajectory_topic",
                default_value="/arm_trajectory_controller/joint_trajectory",
                description="of the arm's JointTrajectoryController",
            ),
            OpaqueFunction(function=started),
        ]
    )
