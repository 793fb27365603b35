"""A policy leads the simulated robot until the task is done, or continuing is pointless."""

from collections.abc import Iterator

import numpy as np

from robot_vision.core.interfaces import Policy
from robot_vision.core.types import Observation
from robot_vision.rollouts.evaluating.closed_loop import ClosedLoop, Delays
from robot_vision.rollouts.simulated_perception import SimulatedPerception
from robot_vision.simulation.robot.expert.plan import is_finished, is_lost
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.work.tasks import success
from robot_vision.simulation.robot.world import RobotWorld

# How long it is watched after the task is done, and when it is given up for not moving.
_DONE_S, _STUCK_S, _STUCK_M = 1.2, 3.0, 0.01
_LATENCY_S = (0.03, 0.15)


def draw_delays(rng: np.random.Generator) -> Delays:
    """Latencies of a slow and of a fast machine."""
    return Delays(latency_s=float(rng.uniform(*_LATENCY_S)))


def policy_leads(
    sight: SimulatedPerception,
    world: RobotWorld,
    task: Task,
    policy: Policy,
    words: str,
    delays: Delays,
) -> Iterator[Observation]:
    """Observations, each while the world is in that state.

    Ends when the task is done or its time is up: mishaps are what there is to learn from.
    """
    loop = ClosedLoop(sight, world, policy, words, delays=delays)
    undone_s = moved_s = world.time_s
    place_m = world.base_from_tool[:3, 3]
    while world.time_s < task.time_out_s and not is_lost(world, task):
        seen = loop.advance()
        if seen is None:
            continue
        yield seen
        if not (is_finished(world, task) or (task.kind == "push" and success(world, task))):
            undone_s = world.time_s
        if np.linalg.norm(world.base_from_tool[:3, 3] - place_m) > _STUCK_M:
            moved_s, place_m = world.time_s, world.base_from_tool[:3, 3]
        if world.time_s - undone_s > _DONE_S or world.time_s - moved_s > _STUCK_S:
            return
