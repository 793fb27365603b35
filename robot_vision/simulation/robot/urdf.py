"""The simulated arm's kinematics as a URDF, as a real arm's driver publishes them."""

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.simulation.gl import MjModel
from robot_vision.simulation.robot.arm import (
    HIGHEST_RAD,
    JOINTS,
    LOWEST_RAD,
    MAX_SPEED_RADPS,
    MAX_TORQUE_NM,
    TOOL,
)


def urdf_of(model: MjModel, *, base: str, tool: str) -> str:
    """Links and joints from `base` to `tool`; with limits; no masses, no shapes."""
    joints, parent = [], base
    for index, name in enumerate(JOINTS):
        joint = model.joint(name)
        body = int(model.jnt_bodyid[joint.id])
        child = f"{name}_link"
        joints.append(
            _joint(
                name, "revolute", parent, child,
                place_m=model.body_pos[body], quaternion_wxyz=model.body_quat[body],
                axis=model.jnt_axis[joint.id], limit=_limit(index),
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
    links = [base, *(f"{name}_link" for name in JOINTS), "hand", tool]
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


def _limit(index: int) -> str:
    return (
        f'<limit lower="{LOWEST_RAD[index]:g}" upper="{HIGHEST_RAD[index]:g}" '
        f'velocity="{MAX_SPEED_RADPS[index]:g}" effort="{MAX_TORQUE_NM[index]:g}"/>'
    )


def _text(values: np.ndarray) -> str:
    return " ".join(f"{value:.12g}" for value in values)
