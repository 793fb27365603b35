"""Commands, chunks and poses as ROS messages, and poses back."""

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Pose, PoseStamped, Transform, Twist, TwistStamped, Vector3
from jaxtyping import Float64
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import (
    JointTrajectory,
    JointTrajectoryPoint,
    MultiDOFJointTrajectory,
    MultiDOFJointTrajectoryPoint,
)

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.results.objects import quaternion_xyzw
from robot_vision.core.types import ActionChunk, Command
from robot_vision.ros.messages.convert import header

GRIPPER = "gripper"


def pose_from_transform(a_from_b: Float64[np.ndarray, "4 4"]) -> Pose:
    """The pose of frame b in frame a."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = a_from_b[:3, 3].tolist()
    q = pose.orientation
    q.x, q.y, q.z, q.w = quaternion_xyzw(a_from_b[:3, :3])
    return pose


def transform_from_pose(pose: Pose) -> Float64[np.ndarray, "4 4"]:
    """`a_from_b` of the pose of b in a. Raises `ValueError` unless it is finite and turns."""
    p, q = pose.position, pose.orientation
    a_from_b = transform_from_quaternion(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]))
    if not np.isfinite(a_from_b).all():
        raise ValueError(f"position {[p.x, p.y, p.z]} is not finite")
    return a_from_b


def transform_message(a_from_b: Float64[np.ndarray, "4 4"]) -> Transform:
    """The same as `pose_from_transform`, in the type of trajectories and tf."""
    pose = pose_from_transform(a_from_b)
    p = pose.position
    return Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation)


def pose_message(command: Command, frame_id: str) -> PoseStamped:
    """`~/command/pose`: the commanded pose of the tool."""
    return PoseStamped(
        header=header(command.stamp_ns, frame_id), pose=pose_from_transform(command.base_from_tool)
    )


def twist_message(command: Command, frame_id: str) -> TwistStamped:
    """`~/command/twist`: the commanded velocity of the tool."""
    return TwistStamped(header=header(command.stamp_ns, frame_id), twist=_twist(command.twist))


def gripper_message(command: Command) -> JointState:
    """`~/command/gripper`: `position` of the one joint `gripper`, 0 closed to 1 open."""
    return JointState(
        header=header(command.stamp_ns, ""), name=[GRIPPER], position=[command.gripper_open]
    )


def action_message(command: Command, spec: ActionSpec) -> JointState:
    """`~/action`: the seven numbers by name: the step from the command before, and the gripper."""
    return JointState(
        header=header(command.stamp_ns, spec.frame_id),
        name=list(spec.names),
        position=command.action.tolist(),
    )


def chunk_message(chunk: ActionChunk, tool_frame_id: str) -> MultiDOFJointTrajectory:
    """`~/action_chunk`: absolute tool poses, `time_from_start` counted from the observation.

    Velocities are those between a point's neighbours; the last one is zero, so that a
    controller stops there if no other chunk comes.
    """
    steps = chunk.action[:, :6] / chunk.step_s
    velocity = np.zeros_like(steps)
    velocity[:-1] = (steps[:-1] + steps[1:]) / 2
    return MultiDOFJointTrajectory(
        header=header(chunk.observation_stamp_ns, chunk.frame_id),
        joint_names=[tool_frame_id],
        points=[
            MultiDOFJointTrajectoryPoint(
                transforms=[transform_message(target)],
                velocities=[_twist(velocity[k])],
                time_from_start=_after_steps(k, chunk.step_s),
            )
            for k, target in enumerate(chunk.base_from_target)
        ],
    )


def gripper_chunk_message(chunk: ActionChunk) -> JointTrajectory:
    """`~/gripper_chunk`: the opening of the gripper at the same times."""
    return JointTrajectory(
        header=header(chunk.observation_stamp_ns, ""),
        joint_names=[GRIPPER],
        points=[
            JointTrajectoryPoint(
                positions=[opening], time_from_start=_after_steps(k, chunk.step_s)
            )
            for k, opening in enumerate(chunk.action[:, 6].tolist())
        ],
    )


def _after_steps(k: int, step_s: float) -> Duration:
    sec, nanosec = divmod(round((k + 1) * step_s * NS_PER_S), NS_PER_S)
    return Duration(sec=sec, nanosec=nanosec)


def _twist(velocity: Float64[np.ndarray, "6"]) -> Twist:
    x, y, z, rx, ry, rz = velocity.tolist()
    return Twist(linear=Vector3(x=x, y=y, z=z), angular=Vector3(x=rx, y=ry, z=rz))
