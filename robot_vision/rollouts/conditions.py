"""Under what a policy is evaluated: what is said, what is seen, and what goes wrong."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from robot_vision.rollouts.closed_loop import Delays
from robot_vision.simulation.palette import is_held_out
from robot_vision.simulation.robot.arms import SEVEN, Arm
from robot_vision.simulation.robot.phrases import instruct
from robot_vision.simulation.robot.task import KINDS, Task
from robot_vision.simulation.robot.tasks import absent_task, build_task_world, possible_tasks
from robot_vision.simulation.robot.world import RobotWorld

Said = Literal["task", "other", "absent"]
_CAMERA_M, _CAMERA_RAD = 0.02, float(np.deg2rad(2.0))


@dataclass(frozen=True, kw_only=True)
class Condition:
    """`said`: the scene's task, another one of the same scene, or about a thing that is not there.

    `new_combination`: the thing named has a colour that training never showed it in.
    `later_s` is added to the latency.
    """

    description: str
    said: Said = "task"
    new_combination: bool = False
    new_words: bool = False
    later_s: float = 0.0
    delays: Delays = field(default_factory=Delays)
    camera_moved: bool = False
    other_lights: bool = False


CONDITIONS: dict[str, Condition] = {
    "held_out": Condition(description="scenes, looks and lights that training never showed"),
    "combinations": Condition(
        description="and the thing named in a colour that training never showed it in",
        new_combination=True,
    ),
    "paraphrases": Condition(
        description="held-out scenes, sentences that training never showed", new_words=True
    ),
    "swap": Condition(
        description="held-out scenes, told to do something to another thing", said="other"
    ),
    "absent": Condition(
        description="held-out scenes, words that name nothing in view: holds", said="absent"
    ),
    "depth_lost": Condition(description="no depth at all", delays=Delays(depth=False)),
    "lost_20": Condition(description="20 % of the frames dropped", delays=Delays(frames_lost=0.2)),
    "lost_50": Condition(description="50 % of the frames dropped", delays=Delays(frames_lost=0.5)),
    "delay_50": Condition(description="answers 50 ms later", later_s=0.05),
    "delay_100": Condition(description="answers 100 ms later", later_s=0.1),
    "delay_200": Condition(description="answers 200 ms later", later_s=0.2),
    "camera_moved": Condition(
        description="camera moved by 2 cm and 2° after calibration", camera_moved=True
    ),
    "lights": Condition(description="lights changed once more", other_lights=True),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """An episode to be run: a world, what is asked for in it, in which words."""

    world: RobotWorld
    task: Task
    words: str
    delays: Delays
    rng: np.random.Generator


def draw_trial(
    condition: Condition, *, seed: int, number: int, latency_s: float, arm: Arm = SEVEN
) -> Trial:
    """Episode `number`: the same scene under all conditions that do not ask for another."""
    rng = np.random.default_rng((seed, number))
    kind = KINDS[number % len(KINDS)]
    while True:
        world, task = build_task_world(rng, split="test", kind=kind, arm=arm)
        if task := _asked(condition, world, task, np.random.default_rng((seed, number, 1))):
            break
        world.close()
    mishaps = np.random.default_rng((seed, number, 2))
    if condition.camera_moved:
        world.move_camera(_CAMERA_M * _direction(mishaps), _CAMERA_RAD * _direction(mishaps))
    if condition.other_lights:
        world.change_lights(mishaps)
    words = instruct(task, np.random.default_rng((seed, number, 3)), held_out=condition.new_words)
    late_s = latency_s + condition.later_s
    return Trial(
        world=world,
        task=task,
        words=words,
        delays=replace(condition.delays, latency_s=late_s),
        rng=mishaps,
    )


def _asked(
    condition: Condition, world: RobotWorld, task: Task, rng: np.random.Generator
) -> Task | None:
    """What is asked for in this world, if the condition can be had here."""
    if condition.said == "absent":
        return absent_task(world, rng, kind=task.kind)
    if _is_new(task) != condition.new_combination:
        return None
    if condition.said == "task":
        return task
    others = [
        other
        for other in possible_tasks(world)
        if other.target.item != task.target.item and not _is_new(other)
    ]
    return others[int(rng.integers(len(others)))] if others else None


def _is_new(task: Task) -> bool:
    return is_held_out(task.target.class_name, task.target.color_name)


def _direction(rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal(3)
    return drawn / np.linalg.norm(drawn)
