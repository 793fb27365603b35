"""Tasks in a world: possible ones, and success criteria."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.simulation.robot.build import TABLE_FRICTION
from robot_vision.simulation.robot.work.task import (
    DIRECTIONS,
    GOES_INTO,
    PICKED,
    PUSHED,
    RELATIONS,
    Direction,
    Kind,
    Named,
    Task,
)
from robot_vision.simulation.robot.world import RobotItem, RobotWorld

LIFTED_M = 0.06  # minimum height of the lowest point of a picked object
PUSHED_M, ASTRAY_M = 0.08, 0.06  # least distance along the direction, largest across it
PUSH_M = 0.13  # how far the expert pushes
_HELD_WITHIN_M = 0.08
_FINGER_M = 0.04  # room that the closed fingers need behind a pushed object
_LANE_M = 0.022  # half the width that closed fingers sweep
_REACHED_M = ((0.22, 0.78), (-0.43, 0.43))  # region for the tool and pushed objects


def named(world: RobotWorld, index: int) -> Named:
    """An item of the world, by name."""
    item = world.items[index]
    return Named(color_name=item.color_name, class_name=item.class_name, item=index)


def possible_tasks(world: RobotWorld) -> list[Task]:
    """All tasks that are currently possible; all objects differ in colour or class."""
    rows = range(len(world.items))
    classes = [item.class_name for item in world.items]
    tasks = [_task(world, "pick", i) for i in rows if classes[i] in PICKED]
    for receiver in rows:
        for i in rows:
            if classes[i] in GOES_INTO.get(classes[receiver], ()):
                tasks.append(_put(world, i, receiver))
    for i in rows:
        if classes[i] in PUSHED and not _tips(world.items[i]):
            tasks += [_push(world, i, d) for d in DIRECTIONS if _way_is_free(world, i, d)]
    return tasks


def success(world: RobotWorld, task: Task) -> bool:
    """Whether the task is done in the current state of the world.

    pick: held, its lowest point 6 cm above the table. put: released, touching the destination,
    with its centre within the destination's outline. push: moved at least 8 cm along the direction
    and at most 6 cm across, relative to the start of the task.
    """
    if task.target.item < 0:
        return False
    if task.kind == "pick":
        return _is_lifted(world, task.target.item)
    if task.kind == "put":
        return _lies_on(world, task.target.item, task.destination)
    along_m, across_m = pushed_m(world, task)
    return along_m >= PUSHED_M and abs(across_m) <= ASTRAY_M


def pushed_m(world: RobotWorld, task: Task) -> tuple[float, float]:
    """How far a push moved its target along the direction, and to the left of it."""
    if task.direction is None:
        raise ValueError(f"a task of kind {task.kind} has no direction")
    x, y = DIRECTIONS[task.direction]
    moved = world.base_from_item(task.target.item)[:2, 3] - np.array(task.start_m)
    return float(moved @ [x, y]), float(moved @ [-y, x])


def corners_in_base(world: RobotWorld, index: int) -> Float[np.ndarray, "n 3"]:
    """Points of an item's surface in the base frame (metres)."""
    return transform_points(world.base_from_item(index), world.items[index].corners_m)


def back_m(world: RobotWorld, index: int, direction: Direction) -> float:
    """Extent of an item against a direction, from its centre, where the fingers push."""
    along = np.array(DIRECTIONS[direction])
    from_middle = corners_in_base(world, index)[:, :2] - world.base_from_item(index)[:2, 3]
    if world.items[index].class_name == "mug":
        # a handle beside the fingers does not matter
        from_middle = from_middle[np.abs(from_middle @ [-along[1], along[0]]) < _LANE_M]
    return float((from_middle @ -along).max())


def is_within(
    point_m: Float[np.ndarray, "3"],
    receiver: RobotItem,
    base_from_receiver: Float[np.ndarray, "4 4"],
) -> bool:
    """Whether a point lies within the outline of a receiver seen from above."""
    local = base_from_receiver[:3, :3].T @ (point_m - base_from_receiver[:3, 3])
    half = receiver.size_m / 2
    if receiver.class_name == "box":
        return bool((np.abs(local[:2]) <= half[:2]).all())
    return bool(np.hypot(local[0], local[1]) <= half[0])


def _is_lifted(world: RobotWorld, index: int) -> bool:
    points = corners_in_base(world, index)
    away_m = np.linalg.norm(world.base_from_item(index)[:3, 3] - world.base_from_tool[:3, 3])
    return bool(points[:, 2].min() >= LIFTED_M and away_m <= _HELD_WITHIN_M)


def _lies_on(world: RobotWorld, index: int, destination: Named | None) -> bool:
    if destination is None or destination.item < 0 or world.held_item == index:
        return False
    receiver = world.items[destination.item]
    middle = world.base_from_item(index)[:3, 3]
    return is_within(middle, receiver, world.base_from_item(destination.item)) and _touch(
        world, index, destination.item
    )


def _touch(world: RobotWorld, a: int, b: int) -> bool:
    bodies = world.model.geom_bodyid[world.data.contact.geom]
    pair = {world.items[a].body_id, world.items[b].body_id}
    return any({int(p), int(q)} == pair for p, q in bodies)


def _task(world: RobotWorld, kind: Kind, index: int) -> Task:
    return Task(kind=kind, target=named(world, index))


def _put(world: RobotWorld, index: int, receiver: int) -> Task:
    return Task(
        kind="put",
        target=named(world, index),
        destination=named(world, receiver),
        relation=RELATIONS[world.items[receiver].class_name],
    )


def _push(world: RobotWorld, index: int, direction: Direction) -> Task:
    x, y = world.base_from_item(index)[:2, 3].tolist()
    return Task(kind="push", target=named(world, index), direction=direction, start_m=(x, y))


def _way_is_free(world: RobotWorld, index: int, direction: Direction) -> bool:
    """Whether the paths of a pushed item and of the fingers behind it are free."""
    along = np.array(DIRECTIONS[direction])
    across = np.array([-along[1], along[0]])
    middle = world.base_from_item(index)[:2, 3]
    own = corners_in_base(world, index)[:, :2] - middle
    front, back = float((own @ along).max()), back_m(world, index, direction)
    if world.items[index].class_name == "mug" and back > 0.55 * world.items[index].size_m[1]:
        return False  # pushed at its handle, it would only turn
    half_width = float(np.abs(own @ across).max())
    behind, goal = middle - (back + _FINGER_M) * along, middle + PUSH_M * along
    for place in (behind, goal):
        for value, (low, high) in zip(place, _REACHED_M, strict=True):
            if not low <= value <= high:
                return False
    for points in _others(world, index):
        ahead, aside = (points - middle) @ along, np.abs((points - middle) @ across)
        in_way = (ahead > -back) & (ahead < front + PUSH_M + 0.02) & (aside < half_width + 0.01)
        near_fingers = (np.abs(ahead + back + _FINGER_M) < 0.04) & (aside < 0.035)
        if (in_way | near_fingers).any():
            return False
    return True


def _tips(item: RobotItem) -> bool:
    """Whether an item tips over instead of sliding when pushed at its top."""
    half_width_m = float(item.size_m[:2].min()) / 2
    return TABLE_FRICTION * float(item.size_m[2]) > half_width_m


def _others(world: RobotWorld, index: int) -> Iterator[Float[np.ndarray, "n 2"]]:
    for other in range(len(world.items)):
        if other != index:
            yield corners_in_base(world, other)[:, :2]
