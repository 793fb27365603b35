"""Tasks for the arm. Lightweight: no physics, no rendering.

Directions are relative to the operator, who sits at the fixed camera, opposite the arm: left in
the picture is −y of the base frame, towards the operator is +x.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["pick", "put", "push"]
Direction = Literal["left", "right", "towards"]
Relation = Literal["in", "on"]

KINDS: tuple[Kind, ...] = ("pick", "put", "push")
Things = tuple[int, int]  # the fewest and the most on a table
DIRECTIONS: dict[Direction, tuple[float, float]] = {
    "left": (0.0, -1.0),
    "right": (0.0, 1.0),
    "towards": (1.0, 0.0),
}
PICKED = ("ball", "block", "can", "mug")
PUSHED = ("block", "bowl", "box", "can", "mug")
# receivers, and what may be put there
GOES_INTO: dict[str, tuple[str, ...]] = {
    "bowl": ("ball", "block"),
    "box": ("block", "can", "mug"),
    "plate": ("block", "can", "mug"),
}
RELATIONS: dict[str, Relation] = {"bowl": "in", "box": "on", "plate": "on"}
MOST_THINGS = 6
TIME_OUT_S: dict[Kind, float] = {"pick": 12.0, "put": 18.0, "push": 14.0}


@dataclass(frozen=True, kw_only=True)
class Named:
    """An object as named, and its row in the world's items (−1: absent)."""

    color_name: str
    class_name: str
    item: int = -1


@dataclass(frozen=True, kw_only=True)
class Task:
    """`destination` and `relation` belong to put; `direction` and `start_m` to push.

    `start_m` is the target's position (x, y in the base frame) at the start of the task.
    """

    kind: Kind
    target: Named
    destination: Named | None = None
    relation: Relation | None = None
    direction: Direction | None = None
    start_m: tuple[float, float] = (0.0, 0.0)

    @property
    def time_out_s(self) -> float:
        return TIME_OUT_S[self.kind]
