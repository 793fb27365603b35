"""Objects on the table and their positions: distinguishable by words, with room for the arm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_vision.simulation.content.assets import make_shape
from robot_vision.simulation.content.palette import (
    CLASS_NAMES,
    COLOR_NAMES,
    Split,
    draw_color_name,
    is_held_out,
)
from robot_vision.simulation.content.shapes import Shape
from robot_vision.simulation.robot.work.task import (
    GOES_INTO,
    MOST_THINGS,
    PICKED,
    PUSHED,
    Kind,
    Things,
)

X_M, Y_M = (0.34, 0.66), (-0.29, 0.29)  # region of object centres
MAX_GRASP_M = 0.078  # widest object for the gripper at any yaw
_GAP_M = 0.05  # gap between objects: a finger and clearance
_SHARES_CLASS, _SHARES_COLOR = 0.35, 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """An object before compilation. `quaternion_wxyz` and `place_m` are its start pose."""

    class_name: str
    color_name: str
    shape: Shape
    place_m: tuple[float, float, float]
    quaternion_wxyz: tuple[float, float, float, float]


def draw_layout(
    rng: np.random.Generator, *, kind: Kind, split: Split, things: Things | None = None
) -> list[Placed]:
    """Two to six objects that differ in class or colour and allow a task of `kind`.

    Objects that the task needs come first. Others often share their class or colour. With `things`
    there are that many, and each could be picked or pushed: only the instruction selects one.
    """
    if things is not None:
        return _counted_layout(rng, kind, split, things)
    names = _needed(rng, kind, split)
    count = int(rng.integers(max(2, len(names)), MOST_THINGS + 1))
    while len(names) < count:
        names.append(_another(rng, names, split, CLASS_NAMES))
    taken: list[tuple[float, float, float]] = []
    layout = []
    for index, (class_name, color_name) in enumerate(names):
        needed = index < (2 if kind == "put" else 1)
        placed = _place(class_name, color_name, taken, rng, trials=400 if needed else 30)
        if placed is not None:
            layout.append(placed)
    return layout


def _counted_layout(
    rng: np.random.Generator, kind: Kind, split: Split, things: Things
) -> list[Placed]:
    """Raises `ValueError` for an impossible number of objects."""
    fewest, most = things
    needed = 2 if kind == "put" else 1
    if not needed <= fewest <= most <= MOST_THINGS:
        raise ValueError(
            f"{fewest} to {most} things for a task of kind {kind}; expected {needed} to "
            f"{MOST_THINGS}, in increasing order"
        )
    classes = {"pick": PICKED, "push": PUSHED, "put": CLASS_NAMES}[kind]
    while True:
        names = _needed(rng, kind, split)
        count = int(rng.integers(fewest, most + 1))
        while len(names) < count:
            names.append(_another(rng, names, split, classes))
        taken: list[tuple[float, float, float]] = []
        placed = [_place(*name, taken, rng, trials=400) for name in names]
        layout = [thing for thing in placed if thing is not None]
        if len(layout) == count:
            return layout


def _needed(rng: np.random.Generator, kind: Kind, split: Split) -> list[tuple[str, str]]:
    if kind == "put":
        destination = str(rng.choice(list(GOES_INTO)))
        classes = [str(rng.choice(GOES_INTO[destination])), destination]
    else:
        classes = [str(rng.choice(PICKED if kind == "pick" else PUSHED))]
    return [(name, draw_color_name(name, split=split, rng=rng)) for name in classes]


def _another(
    rng: np.random.Generator,
    names: Sequence[tuple[str, str]],
    split: Split,
    classes: Sequence[str],
) -> tuple[str, str]:
    """A class (one of `classes`) and colour not present yet, sometimes sharing one of them."""
    while True:
        class_name, color_name = names[int(rng.integers(len(names)))]
        draw = rng.random()
        if draw < _SHARES_CLASS:
            color_name = draw_color_name(class_name, split=split, rng=rng)
        elif draw < _SHARES_CLASS + _SHARES_COLOR:
            class_name = str(rng.choice(classes))
        else:
            class_name, color_name = str(rng.choice(classes)), str(rng.choice(COLOR_NAMES))
        unseen = split == "train" and is_held_out(class_name, color_name)
        if (class_name, color_name) not in names and not unseen:
            return class_name, color_name


def fitting_shape(class_name: str, rng: np.random.Generator) -> Shape:
    """A random instance suited to this table: graspable if its class is, not too large."""
    while True:
        shape = make_shape(class_name, rng)
        if _fits(class_name, shape):
            return shape


def _fits(class_name: str, shape: Shape) -> bool:
    x, y, z = (2 * shape.half_size_m).tolist()
    if class_name in ("ball", "can", "mug"):
        return y <= MAX_GRASP_M  # a mug's handle lies along x, and below where it is grasped
    if class_name == "block":
        return float(np.hypot(x, y)) <= MAX_GRASP_M
    if class_name == "box":
        return min(x, y) >= 0.085 and max(x, y) <= 0.17 and z <= 0.075
    if class_name == "bottle":
        return z <= 0.21
    return max(x, y) <= 0.22


def _place(
    class_name: str,
    color_name: str,
    taken: list[tuple[float, float, float]],
    rng: np.random.Generator,
    *,
    trials: int,
) -> Placed | None:
    """Place an object where there is room, and add it to `taken`; None if there is none."""
    shape = fitting_shape(class_name, rng)
    half = shape.half_size_m
    lies = class_name == "bottle"  # a standing one would be in the arm's way
    reach_m = float(half[2]) if lies else float(np.hypot(half[0], half[1]))
    if class_name in ("ball", "bowl", "can", "plate"):
        reach_m = float(half[0])
    yaw = rng.uniform(0, 2 * np.pi)
    turn = (float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2)))
    for _ in range(trials):
        x, y = float(rng.uniform(*X_M)), float(rng.uniform(*Y_M))
        if all(np.hypot(x - a, y - b) > reach_m + r + _GAP_M for a, b, r in taken):
            taken.append((x, y, reach_m))
            return Placed(
                class_name=class_name,
                color_name=color_name,
                shape=shape,
                place_m=(x, y, float(half[0] if lies else half[2]) + 0.001),
                quaternion_wxyz=_laid_down(turn) if lies else turn,
            )
    return None


def _laid_down(
    turn_wxyz: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """Rotation about the vertical, after laying z along x."""
    c, s = turn_wxyz[0], turn_wxyz[3]
    h = float(np.sqrt(0.5))
    return (c * h, -s * h, c * h, s * h)
