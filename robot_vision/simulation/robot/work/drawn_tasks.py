"""Worlds with a random task: a possible one, or one about an absent object."""

import numpy as np

from robot_vision.simulation.content.palette import CLASS_NAMES, COLOR_NAMES, Split, is_held_out
from robot_vision.simulation.robot.arms.arms import SEVEN, Arm
from robot_vision.simulation.robot.build import SIZE_PX, WRIST_SIZE_PX, build_world
from robot_vision.simulation.robot.work.task import (
    DIRECTIONS,
    GOES_INTO,
    KINDS,
    PICKED,
    PUSHED,
    RELATIONS,
    Kind,
    Named,
    Task,
    Things,
)
from robot_vision.simulation.robot.work.tasks import named, possible_tasks
from robot_vision.simulation.robot.world import RobotWorld


def draw_task(world: RobotWorld, rng: np.random.Generator, *, kind: Kind | None = None) -> Task:
    """Draw a possible task; targets that share colour or class with other objects come first.

    Raises `ValueError` if no task of the kind is possible here.
    """
    tasks = [task for task in possible_tasks(world) if kind in (None, task.kind)]
    if not tasks:
        raise ValueError(
            f"no task of kind {kind or 'any'} is possible among "
            f"{[f'{i.color_name} {i.class_name}' for i in world.items]}"
        )
    if kind is None:
        there = sorted({task.kind for task in tasks})
        chosen = there[int(rng.integers(len(there)))]
        tasks = [task for task in tasks if task.kind == chosen]
    weights = np.array([1.0 + 2.0 * _likeness(world, task.target.item) for task in tasks])
    return tasks[int(rng.choice(len(tasks), p=weights / weights.sum()))]


def build_task_world(
    rng: np.random.Generator,
    *,
    split: Split,
    kind: Kind | None = None,
    things: Things | None = None,
    size_px: tuple[int, int] = SIZE_PX,
    wrist_size_px: tuple[int, int] = WRIST_SIZE_PX,
    arm: Arm = SEVEN,
    fixed_camera: bool = False,
) -> tuple[RobotWorld, Task]:
    """A random world and a possible task of `kind` (any, if None).

    With counted `things`, each is equally likely to be named, so that ignoring the instruction
    gives chance level.
    """
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    while True:
        world = build_world(
            rng,
            split=split,
            kind=kind,
            things=things,
            size_px=size_px,
            wrist_size_px=wrist_size_px,
            arm=arm,
            fixed_camera=fixed_camera,
        )
        tasks = [task for task in possible_tasks(world) if task.kind == kind]
        if things is not None and _all_can_be_meant(world, tasks, kind):
            return world, _draw_evenly(tasks, rng)
        if things is None and tasks:
            return world, draw_task(world, rng, kind=kind)
        world.close()


def _all_can_be_meant(world: RobotWorld, tasks: list[Task], kind: Kind) -> bool:
    targets = {task.target.item for task in tasks}
    return bool(tasks) and (kind == "put" or len(targets) == len(world.items))


def _draw_evenly(tasks: list[Task], rng: np.random.Generator) -> Task:
    """Draw the target first: objects that can be pushed in more directions are not named more
    often."""
    targets = sorted({task.target.item for task in tasks})
    target = targets[int(rng.integers(len(targets)))]
    there = [task for task in tasks if task.target.item == target]
    return there[int(rng.integers(len(there)))]


def absent_task(world: RobotWorld, rng: np.random.Generator, *, kind: Kind | None = None) -> Task:
    """A task that names an absent object (its row is −1)."""
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    receivers = [i for i, item in enumerate(world.items) if item.class_name in RELATIONS]
    if kind == "put" and receivers:
        destination = named(world, receivers[int(rng.integers(len(receivers)))])
        choices = GOES_INTO[destination.class_name]
    elif kind == "put":
        class_name = str(rng.choice(list(GOES_INTO)))
        destination = _draw_absent(world, rng, (class_name,))
        choices = GOES_INTO[class_name]
    else:
        destination, choices = None, PICKED if kind == "pick" else PUSHED
    target = _draw_absent(world, rng, choices)
    if kind == "push":
        directions = list(DIRECTIONS)
        direction = directions[int(rng.integers(len(directions)))]
        return Task(kind=kind, target=target, direction=direction)
    relation = RELATIONS.get(destination.class_name, "on") if destination else None
    return Task(kind=kind, target=target, destination=destination, relation=relation)


def _draw_absent(world: RobotWorld, rng: np.random.Generator, classes: tuple[str, ...]) -> Named:
    """A class (of `classes`, or any at times) and colour that no item has, both often seen."""
    present = {(item.class_name, item.color_name) for item in world.items}
    seen = [item.color_name for item in world.items]
    while True:
        class_name = str(rng.choice(classes if rng.random() < 0.8 else CLASS_NAMES))
        color_name = str(rng.choice(seen if rng.random() < 0.5 else list(COLOR_NAMES)))
        unseen = world.split == "train" and is_held_out(class_name, color_name)
        if (class_name, color_name) not in present and not unseen:
            return Named(color_name=color_name, class_name=class_name)


def _likeness(world: RobotWorld, index: int) -> float:
    """Share of this item's words that other items share: 0, 0.5 or 1."""
    mine = world.items[index]
    others = [item for i, item in enumerate(world.items) if i != index]
    same_class = any(item.class_name == mine.class_name for item in others)
    same_color = any(item.color_name == mine.color_name for item in others)
    return (same_class + same_color) / 2
