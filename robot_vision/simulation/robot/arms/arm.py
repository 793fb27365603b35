"""Puts an arm of primitive shapes on the edge of a table, with a parallel gripper.

Gravity is compensated, as in the drives of such arms.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.picture.gl import MjSpec, mujoco
from robot_vision.simulation.robot.arms.arms import Arm, Cylinder

FINGERS = ("finger_left", "finger_right")
GRIPPER = "gripper"
TOOL = "tool"
WRIST_CAMERA = "wrist_camera"

OPENING_M = 0.1  # between the pads of the open gripper
FINGER_SPEED_MPS = 0.12
GRIP_N = 35.0
TIP_M = 0.012  # the fingers reach this far beyond the tool point
FINGER_LENGTH_M = 0.11
FINGER_HALF_WIDTH_M, FINGER_THICKNESS_M = 0.011, 0.014
# rubber inside; smooth outside, so that pushed objects are not dragged along
_PAD_M, _PAD_FRICTION, _SHELL_FRICTION = 0.004, [1.4, 0.02, 0.002], [0.25, 0.005, 0.0005]
FINGER_STIFFNESS_NPM, FINGER_DAMPING_NSPM = 4000.0, 60.0

_HAND_M = 0.25
_UNSEEN_BY_PHYSICS = {"contype": 0, "conaffinity": 0}
# touches objects (which have 1 in both), but not other parts of the arm
_SOLID = {"contype": 1, "conaffinity": 0}


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmLook:
    """Colours of the arm (RGB 0 to 1)."""

    shell: Float[np.ndarray, "3"]
    joints: Float[np.ndarray, "3"]
    gripper: Float[np.ndarray, "3"]


def draw_arm_look(rng: np.random.Generator) -> ArmLook:
    """Mostly white, grey or black, at times tinted."""

    def shade(low: float, high: float) -> Float[np.ndarray, "3"]:
        tint = 1 + rng.uniform(-1, 1, 3) * rng.choice([0.03, 0.4], p=[0.7, 0.3])
        return np.clip(rng.uniform(low, high) * tint, 0, 1)

    return ArmLook(shell=shade(0.55, 0.95), joints=shade(0.1, 0.7), gripper=shade(0.08, 0.5))


def add_arm(spec: MjSpec, look: ArmLook, arm: Arm) -> None:
    """Add arm, gripper, tool point and wrist camera to `spec`; the base stands at the origin."""
    for name, rgb in (("shell", look.shell), ("joints", look.joints), ("hand", look.gripper)):
        spec.add_material(name=name, rgba=[*rgb, 1], specular=0.4, shininess=0.5)
    body = spec.worldbody.add_body(name="base")
    _add_cylinders(body, arm.base)
    for index in range(len(arm.links)):
        body = _add_link(body, arm, index)
    _add_hand(body)
    _add_drives(spec, arm)


def _add_link(parent: MjSpec, arm: Arm, index: int) -> MjSpec:
    link = arm.links[index]
    body = parent.add_body(name=f"link{index + 1}", pos=link.place_m, gravcomp=1)
    body.add_joint(
        name=arm.joint_names[index], axis=link.axis, armature=0.1, damping=0.5, limited=True,
        range=[arm.lowest_rad[index], arm.highest_rad[index]],
    )  # fmt: skip
    # the inertia of a plain rod approximates the contents
    body.mass, body.inertia = link.mass_kg, [0.008 * link.mass_kg] * 3
    body.ipos, body.explicitinertial = [0, 0, 0.08], True
    _add_cylinders(body, link.cylinders)
    return body


def _add_cylinders(body: MjSpec, cylinders: tuple[Cylinder, ...]) -> None:
    for part in cylinders:
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER, fromto=[*part.start_m, *part.end_m],
            size=[part.radius_m, 0, 0], material=part.material,
            **(_SOLID if part.solid else _UNSEEN_BY_PHYSICS),
        )  # fmt: skip


def _add_hand(last_link: MjSpec) -> None:
    """Palm and two fingers that move along the hand's y; the tool point's frame is theirs."""
    box = mujoco.mjtGeom.mjGEOM_BOX
    # rotated, so that at home the tool's x points away from the base
    hand = last_link.add_body(name="hand", pos=[0, 0, 0.03], quat=[0, 0, 0, 1], gravcomp=1)
    tool_z = _HAND_M - 0.08 - 0.03
    palm_top, palm_bottom = 0.0, tool_z + TIP_M - FINGER_LENGTH_M
    hand.add_geom(
        type=box, size=[0.026, 0.07, (palm_bottom - palm_top) / 2],
        pos=[0, 0, (palm_top + palm_bottom) / 2], material="hand", mass=0.5, **_SOLID,
    )  # fmt: skip
    hand.add_site(name=TOOL, pos=[0, 0, tool_z], group=4)
    _add_wrist_camera(hand, tool_z)
    for name, side in zip(FINGERS, (1, -1), strict=True):
        finger = hand.add_body(name=name, pos=[0, 0, 0], gravcomp=1)
        finger.add_joint(
            name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, side, 0], limited=True,
            range=[0, OPENING_M / 2], armature=0.2, damping=5,
        )  # fmt: skip
        for material, inner, outer, friction in (
            ("hand", 0.0, _PAD_M, _PAD_FRICTION),
            ("joints", _PAD_M, FINGER_THICKNESS_M, _SHELL_FRICTION),
        ):
            finger.add_geom(
                name=name if inner == 0 else f"{name}_shell", type=box,
                size=[FINGER_HALF_WIDTH_M, (outer - inner) / 2, FINGER_LENGTH_M / 2],
                pos=[0, side * (inner + outer) / 2, tool_z + TIP_M - FINGER_LENGTH_M / 2],
                material=material, mass=0.04, condim=6, friction=friction,
                solref=[0.006, 1], priority=1, **_SOLID,
            )  # fmt: skip


def _add_wrist_camera(hand: MjSpec, tool_z_m: float) -> None:
    """Beside the palm, looking at the tool point."""
    eye = np.array([0.075, 0.0, 0.0])
    look = np.array([0.0, 0.0, tool_z_m]) - eye
    z = -look / np.linalg.norm(look)  # MuJoCo's cameras look along −z
    x = np.array([0.0, 1.0, 0.0])
    rotation = np.stack([x, np.cross(z, x), z], axis=1)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, rotation.ravel())
    hand.add_camera(name=WRIST_CAMERA, pos=eye, quat=quaternion, fovy=62)


def _add_drives(spec: MjSpec, arm: Arm) -> None:
    for index, name in enumerate(arm.joint_names):
        drive = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_position(
            kp=float(arm.stiffness_nmprad[index]), kv=float(arm.damping_nmsprad[index])
        )
        drive.forcelimited = True
        drive.forcerange = [-arm.max_torque_nm[index], arm.max_torque_nm[index]]
    for name in FINGERS:
        drive = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_position(kp=FINGER_STIFFNESS_NPM, kv=FINGER_DAMPING_NSPM)
        drive.forcelimited = True
        drive.forcerange = [-GRIP_N, GRIP_N]
    # one spindle moves both fingers
    spec.add_equality(
        type=mujoco.mjtEq.mjEQ_JOINT, objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1=FINGERS[0], name2=FINGERS[1], data=[0, 1, *[0] * 10], solref=[0.004, 1],
    )  # fmt: skip
