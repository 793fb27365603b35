"""The arm's own controller: from tool poses to joint positions, within its limits."""

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.picture.gl import MjData, MjModel, mujoco
from robot_vision.simulation.robot.arms.arm import (
    FINGER_SPEED_MPS,
    FINGER_STIFFNESS_NPM,
    FINGERS,
    GRIP_N,
    OPENING_M,
    TOOL,
)
from robot_vision.simulation.robot.arms.arms import Arm
from robot_vision.simulation.robot.arms.ik import joint_velocity, pose_error

TICK_S = 0.01
_GAIN_HZ = 60.0
_MAX_MPS, _MAX_MPS2 = 0.7, 5.0
_MAX_RADPS, _MAX_RADPS2 = 2.2, 16.0
_SQUEEZE_M = 1.2 * GRIP_N / FINGER_STIFFNESS_NPM
_LEASH_RAD = 0.12  # commanded joints may be this far from measured ones: contact holds them


class Drive:
    """Follows the last commanded tool pose or joints; stores the commanded joint positions."""

    def __init__(self, model: MjModel, data: MjData, arm: Arm) -> None:
        self._model, self._data, self._arm = model, data, arm
        self._scratch = mujoco.MjData(model)
        self._rows = [int(model.jnt_qposadr[model.joint(name).id]) for name in arm.joint_names]
        self._columns = [int(model.jnt_dofadr[model.joint(name).id]) for name in arm.joint_names]
        self._finger_rows = [int(model.jnt_qposadr[model.joint(name).id]) for name in FINGERS]
        self._site = int(model.site(TOOL).id)
        self._jacobian = np.zeros((6, model.nv))
        self._speed_radps = np.zeros(len(arm.links))
        self._wanted_rad = arm.home_rad.copy()
        self._finger_m = OPENING_M / 2
        self.base_from_target = np.eye(4)
        self.joint_target_rad: Float[np.ndarray, " j"] | None = None
        self.gripper_open = 1.0

    @property
    def joint_position_rad(self) -> Float[np.ndarray, " j"]:
        return self._data.qpos[self._rows].copy()

    @property
    def gripper_measured(self) -> float:
        opening = float(self._data.qpos[self._finger_rows].mean()) / (OPENING_M / 2)
        return min(max(opening, 0.0), 1.0)

    def tool_pose(self, data: MjData) -> Float[np.ndarray, "4 4"]:
        """`base_from_tool` in a state whose kinematics are computed."""
        pose = np.eye(4)
        pose[:3, :3] = data.site_xmat[self._site].reshape(3, 3)
        pose[:3, 3] = data.site_xpos[self._site]
        return pose

    def place(self, base_from_tool: Float[np.ndarray, "4 4"]) -> None:
        """Place the arm there at once, at rest, gripper open: the start of an episode."""
        self._wanted_rad[:] = self._arm.home_rad
        self.joint_target_rad = None
        self.base_from_target = base_from_tool
        for _ in range(150):
            self._advance(0.03, braking=False)
        self._speed_radps[:] = 0
        self._data.qpos[self._rows] = self._wanted_rad
        self._data.qpos[self._finger_rows] = OPENING_M / 2
        self._data.qvel[self._columns] = 0
        self._finger_m, self.gripper_open = OPENING_M / 2, 1.0
        self._set_controls()

    def tick(self) -> None:
        """Move the commanded joints by `TICK_S` towards the target and set the motors."""
        if self.joint_target_rad is None:
            self._advance(TICK_S)
        else:
            self._follow_joints(self.joint_target_rad, TICK_S)
        here = self._data.qpos[self._rows]
        np.clip(self._wanted_rad, here - _LEASH_RAD, here + _LEASH_RAD, out=self._wanted_rad)
        goal_m = min(max(self.gripper_open, 0.0), 1.0) * OPENING_M / 2
        step_m = FINGER_SPEED_MPS * TICK_S
        self._finger_m += min(max(goal_m - self._finger_m, -step_m), step_m)
        # no further into a held object than the grip needs, so that it opens at once
        measured_m = float(self._data.qpos[self._finger_rows].mean())
        self._finger_m = max(self._finger_m, measured_m - _SQUEEZE_M)
        self._set_controls()

    def _advance(self, seconds: float, *, braking: bool = True) -> None:
        scratch, model, arm = self._scratch, self._model, self._arm
        scratch.qpos[self._rows] = self._wanted_rad
        mujoco.mj_kinematics(model, scratch)
        mujoco.mj_comPos(model, scratch)
        mujoco.mj_jacSite(model, scratch, self._jacobian[:3], self._jacobian[3:], self._site)
        twist = _towards(pose_error(self.base_from_target, self.tool_pose(scratch)))
        wish = joint_velocity(
            jacobian=self._jacobian[:, self._columns],
            twist=twist,
            position_rad=self._wanted_rad,
            rest_rad=arm.home_rad,
            lowest_rad=arm.lowest_rad,
            highest_rad=arm.highest_rad,
            max_speed_radps=arm.max_speed_radps,
        )
        if braking:
            change = arm.max_acceleration_radps2 * seconds
            wish = self._speed_radps + np.clip(wish - self._speed_radps, -change, change)
        self._speed_radps = wish
        self._move(wish * seconds)

    def _follow_joints(self, target_rad: Float[np.ndarray, " j"], seconds: float) -> None:
        """Like a position controller: straight there, no faster than the drives allow."""
        most = self._arm.max_speed_radps * seconds
        step = np.clip(target_rad - self._wanted_rad, -most, most)
        self._speed_radps = step / seconds
        self._move(step)

    def _move(self, step_rad: Float[np.ndarray, " j"]) -> None:
        arm = self._arm
        self._wanted_rad = np.clip(self._wanted_rad + step_rad, arm.lowest_rad, arm.highest_rad)

    def _set_controls(self) -> None:
        arm = self._arm
        # the drives damp any speed: commanding slightly more compensates that
        lead_rad = arm.damping_nmsprad / arm.stiffness_nmprad * self._speed_radps
        self._data.ctrl[: len(arm.links)] = self._wanted_rad + lead_rad
        self._data.ctrl[len(arm.links) :] = self._finger_m


def _towards(error: Float[np.ndarray, "6"]) -> Float[np.ndarray, "6"]:
    """Twist that reduces the error quickly but can still brake before the target."""
    twist = np.empty(6)
    for part, speed, acceleration in (
        (slice(0, 3), _MAX_MPS, _MAX_MPS2),
        (slice(3, 6), _MAX_RADPS, _MAX_RADPS2),
    ):
        size = float(np.linalg.norm(error[part])) + 1e-12
        wanted = min(_GAIN_HZ * size, np.sqrt(2 * acceleration * size), speed)
        twist[part] = error[part] * (wanted / size)
    return twist
