"""The simulated arm's kinematics as a URDF, as a real arm's driver publishes them."""

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.simulation.gl import MjModel
from robot_vision.simulation.robot.arm import TOOL
from robot_vision.simulation.robot.arms import Arm


def urdf_of(model: MjModel, arm: Arm, *, base: str, tool: str) -> str:
    """Links and joints of `arm` from `base` to `tool`, with limits; no masses, no shapes."""
    joints, parent = [], base
    for index, name in enumerate(arm.joint_names):
        joint = model.joint(name)
        body = int(model.jnt_bodyid[joint.id])
        child = f"{name}_link"
        joints.append(
            _joint(
                name, "revolute", parent, child,
                place_m=model.body_pos[body], quaternion_wxyz=model.body_quat[body],
                axis=model.jnt_axis[joint.id], limit=_limit(arm, index),
            )
        )  # fmt: skip
        parent = child
    site = int(model.site(TOOL).id)
    hand = int(model.site_bodyid[site])
    joints.append(
        _joint(
            "hand", "fixed", parent, "hand",
            place_m=model.body_pos[hand], quaternion_wxyz=model.body_quat[hand],
        )
    )  # fmt: skip
    joints.append(
        _joint(
            "tool", "fixed", "hand", tool,
            place_m=model.site_pos[site], quaternion_wxyz=model.site_quat[site],
        )
    )  # fmt: skip
    links = [base, *(f"{name}_link" for name in arm.joint_names), "hand", tool]
    parts = [*(f'<link name="{link}"/>' for link in links), *joints]
    return "\n".join(['<robot name="robot_vision_arm">', *parts, "</robot>"])


def _joint(
    name: str,
    kind: str,
    parent: str,
    child: str,
    *,
    place_m: np.ndarray,
    quaternion_wxyz: np.ndarray,
    axis: np.ndarray | None = None,
    limit: str = "",
) -> str:
    rpy = Rotation.from_quat(np.roll(quaternion_wxyz, -1)).as_euler("xyz")
    moving = "" if axis is None else f'<axis xyz="{_text(axis)}"/>'
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{_text(place_m)}" rpy="{_text(rpy)}"/>{moving}{limit}</joint>'
    )


def _limit(arm: Arm, index: int) -> str:
    return (
        f'<limit lower="{arm.lowest_rad[index]:g}" upper="{arm.highest_rad[index]:g}" '
        f'velocity="{arm.max_speed_radps[index]:g}" effort="{arm.max_torque_nm[index]:g}"/>'
    )


def _text(values: np.ndarray) -> str:
    return " ".join(f"{value:.12g}" for value in values)
