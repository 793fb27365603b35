"""The states of a simulated scene over time, also between its steps."""

from collections import deque

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.moving.motion import Carry, Push, let_go, position_slice
from robot_vision.simulation.picture.gl import mujoco
from robot_vision.simulation.picture.scene import TIMESTEP_S, Item, Scene

AVERAGED_S = 0.04  # sliding objects chatter: average their velocity over a short time
_WINDOW = round(AVERAGED_S / 2 / TIMESTEP_S)


class Timeline:
    """Runs physics and motions ahead of requests; requested times must not decrease."""

    def __init__(self, scene: Scene, motions: list[Push | Carry]) -> None:
        self._scene = scene
        self._motions = motions
        self._steps = 0
        self._shown = Scene(
            model=scene.model,
            data=mujoco.MjData(scene.model),
            items=scene.items,
            spread_m=scene.spread_m,
        )
        let_go(scene)
        self._states = deque([self._state()], maxlen=2 * _WINDOW + 3)

    def at(self, time_s: float) -> Scene:
        """The scene at a time, valid until the next call, as are its velocities."""
        step = int(time_s / TIMESTEP_S + 1e-6)
        while self._steps < step + _WINDOW + 1:
            self._advance()
        position, mocap_pos, mocap_quat = self._states[self._row(step)]
        later = self._states[self._row(step + 1)][0]
        change = np.zeros(self._scene.model.nv)
        mujoco.mj_differentiatePos(self._scene.model, change, TIMESTEP_S, position, later)
        data = self._shown.data
        data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = position, mocap_pos, mocap_quat
        fraction_s = max(time_s - step * TIMESTEP_S, 0.0)
        mujoco.mj_integratePos(self._scene.model, data.qpos, change, fraction_s)
        mujoco.mj_kinematics(self._scene.model, data)
        return self._shown

    def places_around(
        self, item: Item, time_s: float
    ) -> tuple[tuple[float, Float[np.ndarray, "3"]], tuple[float, Float[np.ndarray, "3"]]]:
        """Time and position (world, metres) of an item's origin before and after `time_s`."""
        step = int(time_s / TIMESTEP_S + 1e-6)
        rows = position_slice(self._scene, item)
        before, after = max(step - _WINDOW, 0), step + _WINDOW
        first, last = (self._states[self._row(s)][0][rows][:3] for s in (before, after))
        return (before * TIMESTEP_S, first), (after * TIMESTEP_S, last)

    def _row(self, step: int) -> int:
        return step - (self._steps - len(self._states) + 1)

    def _state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        data = self._scene.data
        return data.qpos.copy(), data.mocap_pos.copy(), data.mocap_quat.copy()

    def _advance(self) -> None:
        let_go(self._scene)
        for motion in self._motions:
            motion.apply(self._scene, self._steps * TIMESTEP_S)
        mujoco.mj_step(self._scene.model, self._scene.data)
        self._steps += 1
        self._states.append(self._state())
