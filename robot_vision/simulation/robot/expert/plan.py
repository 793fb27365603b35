"""Rolls out the expert's plan from the current state of the world."""

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.robot.expert.motion import REACH_M, advance
from robot_vision.simulation.robot.expert.state import setting_of, state_of
from robot_vision.simulation.robot.expert.steering import DONE_Z_M, NEARLY_M
from robot_vision.simulation.robot.poses import tool_down
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.world import RobotWorld

_SUBSTEP_S = 0.025


def plan(
    world: RobotWorld, task: Task, *, steps: int = 12, step_s: float = 0.05
) -> tuple[Float[np.ndarray, "t 4 4"], Float[np.ndarray, " t"]]:
    """Tool poses (base frame) and gripper commands (0 closed, 1 open) of the next `steps`.

    Row k is for `step_s · (k + 1)` from now. Raises `ValueError` if the target does not exist.
    """
    if task.target.item < 0:
        raise ValueError(f"there is no {task.target.color_name} {task.target.class_name}")
    state = state_of(world, task)
    setting = setting_of(world, task, state)
    substeps = max(1, round(step_s / _SUBSTEP_S))
    poses, gripper = np.empty((steps, 4, 4)), np.empty(steps)
    for k in range(steps):
        command = 1.0
        for _ in range(substeps):
            command = advance(state, setting, step_s / substeps)
        poses[k] = tool_down(np.array(state.place), state.yaw)
        gripper[k] = command
    return poses, gripper


def is_finished(world: RobotWorld, task: Task) -> bool:
    """Whether the expert is done and waits above the table."""
    state = state_of(world, task)
    setting = setting_of(world, task, state)
    over = state.place[2] > DONE_Z_M - 0.02
    if task.kind == "pick":
        return over and state.held
    return over and (state.delivered if task.kind == "put" else setting.to_go_m < NEARLY_M)


def is_lost(world: RobotWorld, task: Task) -> bool:
    """Whether the target is out of the tool's reach."""
    place = world.base_from_item(task.target.item)[:3, 3]
    sides = zip(place, REACH_M, strict=True)
    return place[2] < 0 or any(not low - 0.05 < p < high + 0.05 for p, (low, high) in sides)
