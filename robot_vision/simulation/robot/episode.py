"""An episode: the expert moves the arm by the same commands as a policy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.picture.gl import mujoco
from robot_vision.simulation.robot.expert.plan import is_finished, is_lost, plan
from robot_vision.simulation.robot.poses import tool_down
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.work.tasks import success
from robot_vision.simulation.robot.world import RobotWorld

PERIOD_S = 0.1  # between observations, and between plans
COMMAND_S = 0.01
STEPS, STEP_S = 12, 0.05
_LOW_M, _CALM = 0.06, 0.45


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Disturbances, so that recordings show how to recover.

    The tool drifts off its commands, is knocked aside for a moment, the gripper opens by itself,
    the target is nudged. Rates are per second.
    """

    drift_m: float = 0.006
    drift_rad: float = 0.05
    jolt_hz: float = 0.15
    jolt_m: float = 0.07
    let_go_hz: float = 0.06
    nudge_hz: float = 0.06
    nudge_mps: float = 0.35

    def scaled(self, share: float) -> "Noise":
        """Drift and rates times `share`; 0: no disturbances."""
        return replace(
            self,
            drift_m=share * self.drift_m,
            drift_rad=share * self.drift_rad,
            jolt_hz=share * self.jolt_hz,
            let_go_hz=share * self.let_go_hz,
            nudge_hz=share * self.nudge_hz,
        )


USUAL = Noise()
QUIET = USUAL.scaled(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tick:
    """A moment to observe, with the expert's plan for it. `done`: it was the last.

    `base_from_target` and `gripper_open` are rows `STEP_S` apart, the first that far from now.
    """

    time_s: float
    base_from_target: Float[np.ndarray, "t 4 4"]
    gripper_open: Float[np.ndarray, " t"]
    success: bool
    done: bool


def run_expert(
    world: RobotWorld,
    task: Task,
    *,
    rng: np.random.Generator,
    noise: Noise = QUIET,
    linger_s: float = 0.4,
    on_command: Callable[[RobotWorld], object] = lambda _: None,
) -> Iterator[Tick]:
    """Let the expert perform the task; yields every `PERIOD_S`, while the world is paused.

    `on_command` is called after each command was followed for `COMMAND_S`. Ends `linger_s` after
    the expert has finished, at the task's time-out, or when the target has left the arm's reach;
    success is evaluated at that moment.
    """
    start_s = world.time_s
    finished_s: float | None = None
    disturbance = _Disturbance(rng, noise)
    commanded = world.base_from_tool
    while True:
        poses, gripper = plan(world, task, steps=STEPS, step_s=STEP_S)
        if is_finished(world, task):
            finished_s = world.time_s if finished_s is None else finished_s
        else:
            finished_s = None
        late = world.time_s - start_s >= task.time_out_s or is_lost(world, task)
        done = late or (finished_s is not None and world.time_s - finished_s >= linger_s)
        yield Tick(
            time_s=world.time_s,
            base_from_target=poses,
            gripper_open=gripper,
            success=success(world, task),
            done=done,
        )
        if done:
            return
        disturbance.rebase()
        for step in range(round(PERIOD_S / STEP_S)):
            for _ in _follow(
                world, commanded, poses[step], float(gripper[step]), disturbance, task
            ):
                on_command(world)
            commanded = poses[step]


def _follow(
    world: RobotWorld,
    before: Float[np.ndarray, "4 4"],
    after: Float[np.ndarray, "4 4"],
    gripper_open: float,
    disturbance: "_Disturbance",
    task: Task,
) -> Iterator[None]:
    """Stream commands from one target to the next over `STEP_S`, disturbed; yields after each."""
    count = round(STEP_S / COMMAND_S)
    yaw = np.arctan2(before[1, 0], before[0, 0])
    turn = np.arctan2(after[1, 0], after[0, 0]) - yaw
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    for i in range(1, count + 1):
        share = i / count
        place = before[:3, 3] + share * (after[:3, 3] - before[:3, 3])
        offset_m, offset_rad, lets_go = disturbance.next(world, task)
        place = np.maximum(place + offset_m, [-1, -1, 0.013])
        pose = tool_down(place, float(yaw + share * turn + offset_rad))
        world.command(pose, 1.0 if lets_go else gripper_open)
        world.step(COMMAND_S)
        yield


class _Disturbance:
    """Draws disturbances, one command after another."""

    def __init__(self, rng: np.random.Generator, noise: Noise) -> None:
        self._rng, self._noise = rng, noise
        self._drift, self._base = np.zeros(4), np.zeros(4)
        self._jolt_m, self._jolt_left_s, self._jolt_s = np.zeros(3), 0.0, 1.0
        self._let_go_left_s = 0.0

    def rebase(self) -> None:
        """A new plan starts at the tool's actual, possibly disturbed pose."""
        self._base = self._offset()

    def _offset(self) -> Float[np.ndarray, "4"]:
        swell = np.sin(np.pi * max(self._jolt_left_s, 0.0) / self._jolt_s)
        return self._drift + swell * np.r_[self._jolt_m, 0.0]

    def next(self, world: RobotWorld, task: Task) -> tuple[Float[np.ndarray, "3"], float, bool]:
        """Offset of position and yaw, and whether the gripper opens by itself."""
        rng, noise = self._rng, self._noise
        memory = np.exp(-COMMAND_S / 0.5)
        scale = np.array([noise.drift_m] * 3 + [noise.drift_rad])
        fresh = np.sqrt(1 - memory**2) * rng.standard_normal(4)
        self._drift = memory * self._drift + fresh * scale
        self._jolt_left_s -= COMMAND_S
        if self._jolt_left_s <= 0 and rng.random() < noise.jolt_hz * COMMAND_S:
            self._jolt_m = noise.jolt_m * rng.uniform(-1, 1, 3) * [1, 1, 0.6]
            self._jolt_left_s = self._jolt_s = rng.uniform(0.4, 0.9)
        self._let_go_left_s -= COMMAND_S
        if task.kind != "push" and rng.random() < noise.let_go_hz * COMMAND_S:
            self._let_go_left_s = rng.uniform(0.15, 0.4)
        if rng.random() < noise.nudge_hz * COMMAND_S:
            _nudge(world, task, rng, noise.nudge_mps)
        # gentler near the target, or a pushed object would leave its path beyond recovery
        calm = 1.0 if world.base_from_tool[2, 3] > _LOW_M else _CALM
        offset = calm * (self._offset() - self._base)
        return offset[:3], float(offset[3]), self._let_go_left_s > 0


def _nudge(world: RobotWorld, task: Task, rng: np.random.Generator, speed_mps: float) -> None:
    """Set the target sliding, unless held."""
    if world.held_item == task.target.item:
        return
    body = world.items[task.target.item].body_id
    start = int(world.model.jnt_dofadr[world.model.body_jntadr[body]])
    heading = rng.uniform(0, 2 * np.pi)
    world.data.qvel[start : start + 2] += speed_mps * np.array([np.cos(heading), np.sin(heading)])
    mujoco.mj_kinematics(world.model, world.data)
