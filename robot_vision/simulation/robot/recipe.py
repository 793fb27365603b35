"""The recipe of a demonstration set, and the scene of each of its episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.simulation.content.palette import SPLITS, Split
from robot_vision.simulation.robot.build import SIZE_PX, WRIST_SIZE_PX
from robot_vision.simulation.robot.episode import USUAL, Noise
from robot_vision.simulation.robot.work.drawn_tasks import build_task_world
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import KINDS, MOST_THINGS, Kind, Task, Things
from robot_vision.simulation.robot.world import RobotWorld

TaskName = Literal["lift", "pick", "put", "push"]
TASK_NAMES: tuple[TaskName, ...] = ("lift", *KINDS)
_TRIES = 200


@dataclass(frozen=True, kw_only=True)
class DemonstrationRecipe:
    """An episode depends only on this and its number. `tasks` alternate.

    `lift` means picking up the only object. `things` is the range of their number for the other
    tasks; None: two to six, including distractors. `wordings` is the maximum number of paraphrases
    per episode. Sizes are w × h; a wrist camera of None is not recorded. `policy` is a bundle,
    with its hash, that acts instead of the expert, except for `expert_share` of the time. With
    `fixed_camera` the front camera has its nominal pose in all episodes.
    """

    seed: int
    split: Split
    tasks: tuple[TaskName, ...] = KINDS
    things: Things | None = None
    size_px: tuple[int, int] = SIZE_PX
    wrist_size_px: tuple[int, int] | None = WRIST_SIZE_PX
    depth: bool = True
    noise: Noise = USUAL
    wordings: int = 6
    policy: str = ""
    policy_sha256: str = ""
    expert_share: float = 0.0
    fixed_camera: bool = False

    def __post_init__(self) -> None:
        if self.things is None:
            return
        fewest, most = self.things
        needed = 2 if "put" in self.tasks else 1  # `lift` needs none of these
        if not needed <= fewest <= most <= MOST_THINGS:
            raise ConfigError(
                f"{fewest} to {most} things for the tasks {', '.join(self.tasks)}; expected "
                f"{needed} to {MOST_THINGS}, the fewer first"
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """The start of an episode. The first of `wordings` is its instruction; `rng` continues its
    random stream."""

    world: RobotWorld
    task: Task
    wordings: tuple[str, ...]
    rng: np.random.Generator


def scene_of(recipe: DemonstrationRecipe, number: int) -> Scene:
    """The scene of episode `number`; the caller closes its world."""
    key = (recipe.seed, SPLITS.index(recipe.split), number)
    rng = np.random.default_rng(key)
    name = recipe.tasks[number % len(recipe.tasks)]
    world, task = build_task_world(
        rng,
        split=recipe.split,
        kind=kind_of(name),
        things=(1, 1) if name == "lift" else recipe.things,
        size_px=recipe.size_px,
        wrist_size_px=recipe.wrist_size_px or WRIST_SIZE_PX,
        fixed_camera=recipe.fixed_camera,
    )
    words = np.random.default_rng((*key, 1))
    return Scene(
        world=world, task=task, wordings=draw_wordings(task, words, recipe.wordings), rng=rng
    )


def kind_of(name: TaskName) -> Kind:
    """The kind of task: lift counts as pick."""
    return "pick" if name == "lift" else name


def draw_wordings(task: Task, rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Up to `count` different sentences for a task, none of them held out."""
    found: dict[str, None] = {}
    for _ in range(_TRIES):
        if len(found) >= count:
            break
        found[instruct(task, rng)] = None
    return tuple(found)


def parse_tasks(names: Sequence[str]) -> tuple[TaskName, ...]:
    """Tasks by their names; none: pick, put and push. Raises `ConfigError`."""
    unknown = [name for name in names if name not in TASK_NAMES]
    if unknown:
        raise ConfigError(f"unknown tasks {unknown}; expected some of {', '.join(TASK_NAMES)}")
    return tuple(name for name in names if name in TASK_NAMES) or KINDS


def parse_things(text: str) -> Things | None:
    """Parse a number of objects such as 2 or 1..3; None if empty. Raises `ConfigError`."""
    if not text:
        return None
    fewest, _, most = text.partition("..")
    if not (fewest.isdecimal() and (most or fewest).isdecimal()):
        raise ConfigError(f"things {text!r}; expected a number or a range, such as 2 or 1..3")
    return int(fewest), int(most or fewest)
