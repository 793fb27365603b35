"""Joint commands as ROS messages, and joint trajectories back."""

from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from jaxtyping import Float64
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import JointCommand
from robot_vision.ros.messages.convert import header


def joint_trajectory_message(
    command: JointCommand, *, stamp_ns: int, reach_s: float
) -> JointTrajectory:
    """For a JointTrajectoryController: where to be `reach_s` after the stamp, and to stay there.

    The next message replaces it. Without velocities the controller goes there straight and stops
    if no other message comes; it refuses trajectories that end with a velocity.
    """
    sec, nanosec = divmod(round(reach_s * NS_PER_S), NS_PER_S)
    point = JointTrajectoryPoint(
        positions=command.position.tolist(),
        time_from_start=Duration(sec=sec, nanosec=nanosec),
    )
    return JointTrajectory(
        header=header(stamp_ns, ""), joint_names=list(command.names), points=[point]
    )


def joint_velocity_message(velocity: Sequence[float]) -> Float64MultiArray:
    """For a velocity controller: rad/s or m/s per joint, in the order of `~/action_spec`."""
    count = len(velocity)
    return Float64MultiArray(
        layout=MultiArrayLayout(
            dim=[MultiArrayDimension(label="joints", size=count, stride=count)]
        ),
        data=list(velocity),
    )


def positions_of(message: JointTrajectory, names: Sequence[str]) -> Float64[np.ndarray, " j"]:
    """Where a trajectory's first point puts the joints `names`, in their order (rad or m).

    Raises `ValueError` if there is no point, other joints, or a number that is not finite.
    """
    if not message.points:
        raise ValueError("the trajectory has no points")
    positions = next(iter(message.points)).positions
    if sorted(message.joint_names) != sorted(names) or len(positions) != len(names):
        raise ValueError(
            f"the trajectory has {len(positions)} positions of {list(message.joint_names)}; "
            f"expected {list(names)}"
        )
    found: dict[str, float] = dict(zip(message.joint_names, positions, strict=True))
    ordered = np.array([found[name] for name in names], np.float64)
    if not np.isfinite(ordered).all():
        raise ValueError(f"the trajectory's positions {ordered.tolist()} are not finite")
    return ordered
