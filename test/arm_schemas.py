"""Names, types and bounds of the parameters that our files for arms set, by public schemas.

Written by hand from these files, all of branch jazzy; `test_arm_configs` compares it with them
where somebody fetched them:
moveit/moveit2 4d841063574c, moveit_ros/moveit_servo/config/servo_parameters.yaml
ros-controls/ros2_controllers ed360c97d6e9, joint_trajectory_controller/src/…_parameters.yaml and
forward_command_controller/src/…_parameters.yaml and parallel_gripper_controller/src/…
"""

from typing import Any, NamedTuple


class Rule(NamedTuple):
    """`kind` as generate_parameter_library names it; `above` and `least` are lower bounds."""

    kind: str
    above: float | None = None
    least: float | None = None
    choices: tuple[str, ...] = ()

    def problem(self, value: Any) -> str:
        """Why a value is refused; empty if it is taken."""
        if not _is(self.kind, value):
            return f"{value!r} is no {self.kind}"
        numbers = value if isinstance(value, list) else [value]
        if self.above is not None and not all(n > self.above for n in numbers):
            return f"{value} is not above {self.above}"
        if self.least is not None and not all(n >= self.least for n in numbers):
            return f"{value} is below {self.least}"
        if self.choices and not set(numbers) <= set(self.choices):
            return f"{value} is none of {self.choices}"
        return ""


_PYTHON = {"bool": bool, "int": int, "double": float, "string": str}


def _is(kind: str, value: Any) -> bool:
    """ROS parameters do not change types: 1 is no double."""
    if kind.endswith("_array"):
        return isinstance(value, list) and all(_is(kind.removesuffix("_array"), v) for v in value)
    return type(value) is _PYTHON[kind]


_OUT = ("trajectory_msgs/JointTrajectory", "std_msgs/Float64MultiArray")
SERVO = {
    "move_group_name": Rule("string"),
    "command_in_type": Rule("string", choices=("unitless", "speed_units")),
    "scale.linear": Rule("double"),
    "scale.rotational": Rule("double"),
    "incoming_command_timeout": Rule("double"),
    "apply_twist_commands_about_ee_frame": Rule("bool"),
    "pose_tracking.linear_tolerance": Rule("double", above=0.0),
    "pose_tracking.angular_tolerance": Rule("double", above=0.0),
    "publish_period": Rule("double", above=0.0),
    "max_expected_latency": Rule("double", above=0.0),
    "command_out_type": Rule("string", choices=_OUT),
    "command_out_topic": Rule("string"),
    "publish_joint_positions": Rule("bool"),
    "publish_joint_velocities": Rule("bool"),
    "publish_joint_accelerations": Rule("bool"),
    "joint_topic": Rule("string"),
    "use_smoothing": Rule("bool"),
    "smoothing_filter_plugin_name": Rule("string"),
    "is_primary_planning_scene_monitor": Rule("bool"),
    "check_octomap_collisions": Rule("bool"),
    "check_collisions": Rule("bool"),
    "collision_check_rate": Rule("double", least=0.0),
    "self_collision_proximity_threshold": Rule("double", above=0.0),
    "scene_collision_proximity_threshold": Rule("double", above=0.0),
    "lower_singularity_threshold": Rule("double", above=0.0),
    "hard_stop_singularity_threshold": Rule("double", above=0.0),
    "joint_limit_margins": Rule("double_array", least=0.0),
    "halt_all_joints_in_cartesian_mode": Rule("bool"),
}
_INTERFACES = ("position", "velocity", "acceleration", "effort")
TRAJECTORY = {
    "joints": Rule("string_array"),
    "command_interfaces": Rule("string_array", choices=_INTERFACES),
    "state_interfaces": Rule("string_array", choices=_INTERFACES[:3]),
    "interpolate_from_desired_state": Rule("bool"),
    "allow_nonzero_velocity_at_trajectory_end": Rule("bool"),
    "cmd_timeout": Rule("double"),
    "speed_scaling.state_interface": Rule("string"),
    "constraints.stopped_velocity_tolerance": Rule("double"),
    "constraints.goal_time": Rule("double", least=0.0),
    "gains.__map_joints.p": Rule("double"),
    "gains.__map_joints.i": Rule("double"),
    "gains.__map_joints.d": Rule("double"),
}
FORWARD = {"joints": Rule("string_array"), "interface_name": Rule("string")}
PARALLEL_GRIPPER = {
    "joint": Rule("string"),
    "goal_tolerance": Rule("double", least=0.0),
    "allow_stalling": Rule("bool"),
    "stall_timeout": Rule("double", least=0.0),
}
CONTROLLERS = {
    "parallel_gripper_action_controller/GripperActionController": PARALLEL_GRIPPER,
    "joint_trajectory_controller/JointTrajectoryController": TRAJECTORY,
    "forward_command_controller/ForwardCommandController": FORWARD,
}
_CONTROLLERS = "ros-controls+ros2_controllers"
SOURCES = (
    (
        SERVO,
        "moveit+moveit2",
        "moveit_ros/moveit_servo/config/servo_parameters.yaml",
    ),
    (
        TRAJECTORY,
        _CONTROLLERS,
        "joint_trajectory_controller/src/joint_trajectory_controller_parameters.yaml",
    ),
    (
        FORWARD,
        _CONTROLLERS,
        "forward_command_controller/src/forward_command_controller_parameters.yaml",
    ),
    (
        PARALLEL_GRIPPER,
        _CONTROLLERS,
        "parallel_gripper_controller/src/gripper_action_controller_parameters.yaml",
    ),
)
