"""Conditions for evaluating a policy: the instruction, the observation, and faults."""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from robot_vision.rollouts.evaluating.closed_loop import Delays
from robot_vision.rollouts.pictures import WRIST
from robot_vision.simulation.content.palette import Split, is_held_out
from robot_vision.simulation.robot.arms.arms import SEVEN, Arm
from robot_vision.simulation.robot.build import SIZE_PX, WRIST_SIZE_PX
from robot_vision.simulation.robot.work.drawn_tasks import absent_task, build_task_world
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import KINDS, Kind, Task
from robot_vision.simulation.robot.work.tasks import possible_tasks
from robot_vision.simulation.robot.world import RobotWorld

Sizes = tuple[tuple[int, int], tuple[int, int]]
DEFAULT_SIZES_PX: Sizes = (SIZE_PX, WRIST_SIZE_PX)
Said = Literal["task", "other", "absent"]
_CAMERA_M, _CAMERA_RAD = 0.02, float(np.deg2rad(2.0))


@dataclass(frozen=True, kw_only=True)
class Condition:
    """`said`: the scene's task, another one in the same scene, or one about a missing object.

    `new_combination`: the named object has a colour that training never showed it in.
    `later_s` is added to the latency. `table` is the kind of task and the number of objects,
    any of which could be the target; None: kinds alternate, with two to six objects.
    """

    description: str
    table: tuple[Kind, int] | None = None
    words_withheld: bool = False
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
        description="the named object also in a colour that training never showed it in",
        new_combination=True,
    ),
    "paraphrases": Condition(
        description="held-out scenes, sentences that training never showed", new_words=True
    ),
    "swap": Condition(
        description="held-out scenes, with an instruction about another object", said="other"
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
    "lift_only": Condition(description="lift the only object", table=("pick", 1)),
    "named_of_two": Condition(description="lift the named one of two", table=("pick", 2)),
    "named_of_three": Condition(description="lift the named one of three", table=("pick", 3)),
    "named_swap": Condition(
        description="the scenes of named_of_two, with the other one named",
        table=("pick", 2),
        said="other",
    ),
    "no_words": Condition(
        description="named_of_two without words: a policy that needs them acts by chance",
        table=("pick", 2),
        words_withheld=True,
    ),
    "push": Condition(description="push the only object as instructed", table=("push", 1)),
    "no_depth": Condition(
        description="lift_only without depth", table=("pick", 1), delays=Delays(depth=False)
    ),
    "no_wrist": Condition(
        description="lift_only without the wrist camera",
        table=("pick", 1),
        delays=Delays(cameras_lost=(WRIST,)),
    ),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """An episode to run: a world, the task in it, and its wording."""

    world: RobotWorld
    task: Task
    words: str
    delays: Delays
    rng: np.random.Generator
    words_withheld: bool = False


def draw_trial(
    condition: Condition,
    *,
    seed: int,
    number: int,
    latency_s: float,
    arm: Arm = SEVEN,
    split: Split = "test",
    sizes_px: Sizes = DEFAULT_SIZES_PX,
    fixed_camera: bool = False,
) -> Trial:
    """Episode `number`: the same scene under all conditions that do not require another.

    `sizes_px` are those of the front and the wrist camera, w × h.
    """
    rng = np.random.default_rng((seed, number))
    kind, count = condition.table or (KINDS[number % len(KINDS)], None)
    while True:
        world, task = build_task_world(
            rng,
            split=split,
            kind=kind,
            things=None if count is None else (count, count),
            size_px=sizes_px[0],
            wrist_size_px=sizes_px[1],
            arm=arm,
            fixed_camera=fixed_camera,
        )
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
        words_withheld=condition.words_withheld,
    )


def _asked(
    condition: Condition, world: RobotWorld, task: Task, rng: np.random.Generator
) -> Task | None:
    """The task in this world, if the condition is possible here."""
    if condition.said == "absent":
        return absent_task(world, rng, kind=task.kind)
    if _is_new(task) != condition.new_combination:
        return None
    if condition.said == "task":
        return task
    others = [
        other
        for other in possible_tasks(world)
        if other.target.item != task.target.item
        and not _is_new(other)
        and (condition.table is None or other.kind == task.kind)
    ]
    return others[int(rng.integers(len(others)))] if others else None


def _is_new(task: Task) -> bool:
    return is_held_out(task.target.class_name, task.target.color_name)


def _direction(rng: np.random.Generator) -> np.ndarray:
    drawn = rng.standard_normal(3)
    return drawn / np.linalg.norm(drawn)
