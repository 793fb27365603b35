"""The arm: seven joints of primitive shapes on the edge of a table, and a parallel gripper.

Shoulder, elbow and wrist as of light-weight arms of the class (reach 0.86 m and the hand). Speeds
and torques are those of such arms; gravity is compensated, as their drives do.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.gl import MjSpec, mujoco

JOINTS = tuple(f"joint{i}" for i in range(1, 8))
FINGERS = ("finger_left", "finger_right")
GRIPPER = "gripper"
TOOL = "tool"
WRIST_CAMERA = "wrist_camera"
LOWEST_RAD = np.array([-2.9, -1.9, -2.9, 0.03, -2.9, -0.4, -3.0])
HIGHEST_RAD = np.array([2.9, 1.9, 2.9, 2.75, 2.9, 2.9, 3.0])
MAX_SPEED_RADPS = np.array([2.1, 2.1, 2.1, 2.1, 2.6, 2.6, 2.6])
MAX_ACCELERATION_RADPS2 = np.array([15.0, 12.0, 15.0, 15.0, 20.0, 20.0, 20.0])
MAX_TORQUE_NM = np.array([90.0, 90.0, 90.0, 90.0, 30.0, 30.0, 15.0])
HOME_RAD = np.array([0.0, 0.15, 0.0, 1.9, 0.0, np.pi - 2.05, 0.0])

OPENING_M = 0.1  # between the pads of the open gripper
FINGER_SPEED_MPS = 0.12
GRIP_N = 35.0
TIP_M = 0.012  # the fingers reach this far beyond the tool point
FINGER_LENGTH_M = 0.11
FINGER_HALF_WIDTH_M, FINGER_THICKNESS_M = 0.011, 0.014
# rubber inside; outside smooth, so that what is pushed is not dragged along
_PAD_M, _PAD_FRICTION, _SHELL_FRICTION = 0.004, [1.4, 0.02, 0.002], [0.25, 0.005, 0.0005]
STIFFNESS_NMPRAD = np.array([4000.0, 4000.0, 3000.0, 3000.0, 1500.0, 1500.0, 800.0])
DAMPING_NMSPRAD = np.array([300.0, 300.0, 200.0, 200.0, 80.0, 80.0, 40.0])
FINGER_STIFFNESS_NPM, FINGER_DAMPING_NSPM = 4000.0, 60.0

_SHOULDER_M, _UPPER_M, _FORE_M, _HAND_M = 0.33, 0.44, 0.42, 0.25
_UNSEEN_BY_PHYSICS = {"contype": 0, "conaffinity": 0}
# touches things (which have 1 in both), but not other parts of the arm
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


def add_arm(spec: MjSpec, look: ArmLook) -> None:
    """Add arm, gripper, tool point and wrist camera to `spec`; the base stands at the origin."""
    for name, rgb in (("shell", look.shell), ("joints", look.joints), ("hand", look.gripper)):
        spec.add_material(name=name, rgba=[*rgb, 1], specular=0.4, shininess=0.5)
    base = spec.worldbody.add_body(name="base")
    _cylinder(base, (0, 0, 0), (0, 0, 0.14), 0.085, "joints")
    link1 = _link(base, 1, (0, 0, 0.14), axis=(0, 0, 1), mass_kg=3)
    _cylinder(link1, (0, 0, 0), (0, 0, _SHOULDER_M - 0.14), 0.068, "shell")
    _cylinder(
        link1, (0, -0.085, _SHOULDER_M - 0.14), (0, 0.085, _SHOULDER_M - 0.14), 0.07, "joints"
    )
    link2 = _link(link1, 2, (0, 0, _SHOULDER_M - 0.14), axis=(0, 1, 0), mass_kg=3)
    _cylinder(link2, (0, 0, 0.03), (0, 0, _UPPER_M / 2), 0.06, "shell")
    link3 = _link(link2, 3, (0, 0, _UPPER_M / 2), axis=(0, 0, 1), mass_kg=2.5)
    _cylinder(link3, (0, 0, 0), (0, 0, _UPPER_M / 2 - 0.03), 0.055, "shell")
    _cylinder(link3, (0, -0.07, _UPPER_M / 2), (0, 0.07, _UPPER_M / 2), 0.062, "joints")
    link4 = _link(link3, 4, (0, 0, _UPPER_M / 2), axis=(0, 1, 0), mass_kg=2.5)
    _cylinder(link4, (0, 0, 0.03), (0, 0, _FORE_M / 2), 0.05, "shell")
    link5 = _link(link4, 5, (0, 0, _FORE_M / 2), axis=(0, 0, 1), mass_kg=1.5)
    _cylinder(link5, (0, 0, 0), (0, 0, _FORE_M / 2 - 0.03), 0.045, "shell")
    _cylinder(link5, (0, -0.055, _FORE_M / 2), (0, 0.055, _FORE_M / 2), 0.05, "joints")
    link6 = _link(link5, 6, (0, 0, _FORE_M / 2), axis=(0, 1, 0), mass_kg=1.2)
    _cylinder(link6, (0, 0, 0), (0, 0, 0.08), 0.045, "shell", solid=True)
    link7 = _link(link6, 7, (0, 0, 0.08), axis=(0, 0, 1), mass_kg=0.4)
    _cylinder(link7, (0, 0, 0), (0, 0, 0.03), 0.04, "joints", solid=True)
    _add_hand(link7)
    _add_drives(spec)


def _link(parent: MjSpec, number: int, place_m: tuple, *, axis: tuple, mass_kg: float) -> MjSpec:
    index = number - 1
    body = parent.add_body(name=f"link{number}", pos=place_m, gravcomp=1)
    body.add_joint(
        name=JOINTS[index], axis=axis, armature=0.1, damping=0.5, limited=True,
        range=[LOWEST_RAD[index], HIGHEST_RAD[index]],
    )  # fmt: skip
    # inertia of a plain rod stands for all that is inside
    body.mass, body.inertia = mass_kg, [0.008 * mass_kg] * 3
    body.ipos, body.explicitinertial = [0, 0, 0.08], True
    return body


def _cylinder(
    body: MjSpec,
    start_m: tuple,
    end_m: tuple,
    radius_m: float,
    material: str,
    *,
    solid: bool = False,
) -> None:
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER, fromto=[*start_m, *end_m], size=[radius_m, 0, 0],
        material=material, **(_SOLID if solid else _UNSEEN_BY_PHYSICS),
    )  # fmt: skip


def _add_hand(link7: MjSpec) -> None:
    """Palm and two fingers that move along the hand's y; the tool point's frame is theirs."""
    box = mujoco.mjtGeom.mjGEOM_BOX
    # turned, so that at home the tool's x points away from the base
    hand = link7.add_body(name="hand", pos=[0, 0, 0.03], quat=[0, 0, 0, 1], gravcomp=1)
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


def _add_drives(spec: MjSpec) -> None:
    for index, name in enumerate(JOINTS):
        drive = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        drive.set_to_position(kp=float(STIFFNESS_NMPRAD[index]), kv=float(DAMPING_NMSPRAD[index]))
        drive.forcelimited = True
        drive.forcerange = [-MAX_TORQUE_NM[index], MAX_TORQUE_NM[index]]
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
