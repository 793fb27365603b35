"""Converts a chunk of joint positions into tool steps by the arm's forward kinematics.

So everything downstream (safety, age, blending, hold) is the same for both kinds of policy.
"""

import numpy as np
from jaxtyping import Float

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core import quaternions
from robot_vision.core.types import RobotState


def tool_steps(
    joints: Float[np.ndarray, "t j"],
    names: tuple[str, ...],
    *,
    kinematics: Kinematics | None,
    robot: RobotState,
) -> Float[np.ndarray, "t 7"]:
    """Δxyz (m), Δrotation vector (rad, base axes) and gripper of each step.

    Columns of `joints` are positions (rad or m) of the named joints, then the gripper. The first
    step is from the observed tool. Joints of the arm that the policy does not name keep their
    positions in `robot`. Raises `ValueError` if the arm's description is missing or lacks a joint.
    """
    if kinematics is None:
        raise ValueError(
            "the policy outputs joint positions, which need a robot_description to become tool "
            "poses: publish it on robot_description"
        )
    unknown = [name for name in names if name not in kinematics.joint_names]
    if unknown:
        raise ValueError(
            f"the policy outputs joints {', '.join(unknown)}, which do not move the tool "
            f"according to robot_description; those that do: {', '.join(kinematics.joint_names)}"
        )
    fixed = dict(zip(robot.joint_names, robot.joint_position_rad.tolist(), strict=False))
    steps, before = [], robot.base_from_tool
    for row in joints.tolist():
        target = kinematics.base_from_tool({**fixed, **dict(zip(names, row[:-1], strict=True))})
        if target is None:
            missing = [n for n in kinematics.joint_names if n not in {*fixed, *names}]
            raise ValueError(
                f"neither the policy nor joint_states gives the position of {missing[0]!r}"
            )
        steps.append([*_step(before, target), row[-1]])
        before = target
    return np.array(steps, np.float64)


def _step(
    before: Float[np.ndarray, "4 4"], target: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "6"]:
    start, end = (quaternions.from_matrix(pose[:3, :3]) for pose in (before, target))
    return np.concatenate([target[:3, 3] - before[:3, 3], quaternions.between(start, end)])
