"""The simulated arm as a URDF, as a real arm's driver publishes it: joints, limits and visuals."""

import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.simulation.picture.gl import MjModel, mujoco
from robot_vision.simulation.robot.arms.arm import FINGERS, GRIPPER, OPENING_M, TOOL
from robot_vision.simulation.robot.arms.arms import Arm

# One spindle moves both fingers: its joint is the gripper joint, from 0 closed to 1 open.
_SPINDLE = "spindle"


def urdf_of(model: MjModel, arm: Arm, *, base: str, tool: str) -> str:
    """Links of `arm` with their visual shapes and joints with limits, `base` the root; no masses.

    There are no collision shapes: visuals overlap at every joint.
    """
    joints, parent = [], base
    links = [_link(model, base, "base")]
    for index, name in enumerate(arm.joint_names):
        joint = model.joint(name)
        body = int(model.jnt_bodyid[joint.id])
        child = f"{name}_link"
        joints.append(
            _joint(
                name, "revolute", parent, child,
                place_m=model.body_pos[body], quaternion_wxyz=model.body_quat[body],
                moving=_axis(model.jnt_axis[joint.id]) + _limit(arm, index),
            )
        )  # fmt: skip
        links.append(_link(model, child, model.body(body).name))
        parent = child
    joints += [*_hand(model, parent, tool), *_gripper(model)]
    links += [_link(model, "hand", "hand"), f'<link name="{tool}"/>', f'<link name="{_SPINDLE}"/>']
    links += [_link(model, finger, finger) for finger in FINGERS]
    return "\n".join(['<robot name="robot_vision_arm">', *links, *joints, "</robot>"])


def _hand(model: MjModel, parent: str, tool: str) -> list[str]:
    site = int(model.site(TOOL).id)
    hand = int(model.site_bodyid[site])
    return [
        _joint(
            "hand", "fixed", parent, "hand",
            place_m=model.body_pos[hand], quaternion_wxyz=model.body_quat[hand],
        ),
        _joint(
            "tool", "fixed", "hand", tool,
            place_m=model.site_pos[site], quaternion_wxyz=model.site_quat[site],
        ),
    ]  # fmt: skip


def _gripper(model: MjModel) -> list[str]:
    """The spindle, and the fingers that follow it."""
    origin = {"place_m": np.zeros(3), "quaternion_wxyz": np.array([1.0, 0, 0, 0])}
    open_m = OPENING_M / 2
    turns = _axis(np.array([1.0, 0, 0])) + '<limit lower="0" upper="1" velocity="3" effort="40"/>'
    joints = [_joint(GRIPPER, "revolute", "hand", _SPINDLE, moving=turns, **origin)]
    for finger in FINGERS:
        slides = (
            _axis(model.jnt_axis[model.joint(finger).id])
            + f'<limit lower="0" upper="{open_m:g}" velocity="0.15" effort="40"/>'
            + f'<mimic joint="{GRIPPER}" multiplier="{open_m:g}" offset="0"/>'
        )
        joints.append(_joint(finger, "prismatic", "hand", finger, moving=slides, **origin))
    return joints


def _link(model: MjModel, name: str, body: str) -> str:
    """A link with the body's visual shapes."""
    number = int(model.body(body).id)
    geoms = range(
        model.body_geomadr[number], model.body_geomadr[number] + model.body_geomnum[number]
    )
    shapes = "".join(_visual(model, geom) for geom in geoms)
    return f'<link name="{name}">{shapes}</link>'


def _visual(model: MjModel, geom: int) -> str:
    size_m = model.geom_size[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CYLINDER:
        shape = f'<cylinder radius="{size_m[0]:g}" length="{2 * size_m[1]:g}"/>'
    else:
        shape = f'<box size="{_text(2 * size_m)}"/>'
    origin = _origin(model.geom_pos[geom], model.geom_quat[geom])
    return f"<visual>{origin}<geometry>{shape}</geometry></visual>"


def _joint(
    name: str,
    kind: str,
    parent: str,
    child: str,
    *,
    place_m: np.ndarray,
    quaternion_wxyz: np.ndarray,
    moving: str = "",
) -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f"{_origin(place_m, quaternion_wxyz)}{moving}</joint>"
    )


def _origin(place_m: np.ndarray, quaternion_wxyz: np.ndarray) -> str:
    turn = Rotation.from_quat(np.roll(quaternion_wxyz, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # gimbal lock: any solution is correct
        rpy = turn.as_euler("xyz")
    return f'<origin xyz="{_text(place_m)}" rpy="{_text(rpy)}"/>'


def _axis(axis: np.ndarray) -> str:
    return f'<axis xyz="{_text(axis)}"/>'


def _limit(arm: Arm, index: int) -> str:
    return (
        f'<limit lower="{arm.lowest_rad[index]:g}" upper="{arm.highest_rad[index]:g}" '
        f'velocity="{arm.max_speed_radps[index]:g}" effort="{arm.max_torque_nm[index]:g}"/>'
    )


def _text(values: np.ndarray) -> str:
    return " ".join(f"{value:.12g}" for value in values)
