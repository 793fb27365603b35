"""A chunk of joint positions becomes one of tool steps, by the arm's forward kinematics.

So what follows (safety, age, blending, hold) is the same for policies of either kind.
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
    step is from the tool as observed. Joints of the arm that the policy does not name stay where
    `robot` has them. Raises `ValueError` where the arm's description is missing or lacks a joint.
    """
    if kinematics is None:
        raise ValueError(
            "the policy answers joint positions, and no robot_description says where they take "
            "the tool: publish it on robot_description"
        )
    unknown = [name for name in names if name not in kinematics.joint_names]
    if unknown:
        raise ValueError(
            f"the policy answers joints {', '.join(unknown)}, which do not move the tool by "
            f"robot_description; those that do: {', '.join(kinematics.joint_names)}"
        )
    fixed = dict(zip(robot.joint_names, robot.joint_position_rad.tolist(), strict=False))
    steps, before = [], robot.base_from_tool
    for row in joints.tolist():
        target = kinematics.base_from_tool({**fixed, **dict(zip(names, row[:-1], strict=True))})
        if target is None:
            missing = [n for n in kinematics.joint_names if n not in {*fixed, *names}]
            raise ValueError(f"neither policy nor joint_states says where {missing[0]!r} is")
        steps.append([*_step(before, target), row[-1]])
        before = target
    return np.array(steps, np.float64)


def _step(
    before: Float[np.ndarray, "4 4"], target: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "6"]:
    start, end = (quaternions.from_matrix(pose[:3, :3]) for pose in (before, target))
    return np.concatenate([target[:3, 3] - before[:3, 3], quaternions.between(start, end)])
