"""The expert's labels for each frame: answers to several instructions, in several wordings."""

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

from robot_vision.core.types import Observation
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.tokens import PolicyInputs
from robot_vision.rollouts.collecting.labels import Labelled, answer, labelled
from robot_vision.rollouts.episode_files import Sample
from robot_vision.simulation.robot.work.drawn_tasks import absent_task
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import KINDS, Task
from robot_vision.simulation.robot.work.tasks import possible_tasks
from robot_vision.simulation.robot.world import RobotWorld

Frames = list[tuple[PolicyInputs, list[Sample]]]
_WORDINGS = 6


class Teacher:
    """Records one episode's observations, and the expert's labels for them.

    Each frame is shown with the episode's task, `others` that are possible in it and
    `absent` ones about missing objects. `held_out` mixes in sentences that training never
    shows.
    """

    def __init__(
        self,
        world: RobotWorld,
        task: Task,
        rng: np.random.Generator,
        *,
        history: int,
        others: int,
        absent: int,
        held_out: bool,
    ) -> None:
        self._world, self._task, self._rng = world, task, rng
        self._history, self._others, self._absent = history, others, absent
        self._held_out = held_out
        self._texts: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.frames: Frames = []

    def teach(self, observation: Observation) -> None:
        """Add a frame; the world is in its state at the observation's stamp."""
        inputs = encode_observation(observation, history=self._history)
        seen = labelled(self._world, observation, inputs)
        samples = [answer(seen, task, self._wordings(task)) for task in self._tasks(seen)]
        self.frames.append((inputs, [s for s in samples if s is not None]))

    def _tasks(self, seen: Labelled) -> Iterator[Task]:
        """The episode's own task, others that are possible now, and some about absent objects."""
        yield self._task
        visible = set(seen.item[seen.item >= 0].tolist()) - {self._task.target.item}
        others = [t for t in possible_tasks(self._world) if t.target.item in visible]
        # Kinds alternate: there are many more pairs to place than objects to pick.
        by_kind = [[t for t in others if t.kind == kind] for kind in KINDS]
        for tasks in by_kind:
            self._rng.shuffle(tasks)  # pyright: ignore[reportArgumentType]
        turns = [t for turn in zip_longest(*by_kind) for t in turn if t is not None]
        first = int(self._rng.integers(len(KINDS)))
        yield from [*turns[first:], *turns[:first]][: self._others]
        for _ in range(self._absent):
            yield absent_task(self._world, self._rng)

    def _wordings(self, task: Task) -> tuple[str, ...]:
        """Some paraphrases, the same in all frames of the episode."""
        key = _meaning(task)
        if key not in self._texts:
            self._texts[key] = tuple(
                instruct(task, self._rng, held_out=self._held_out and bool(k % 2))
                for k in range(_WORDINGS)
            )
        return self._texts[key]


def _meaning(task: Task) -> tuple[str, ...]:
    """The task in words."""
    named = [f"{n.color_name} {n.class_name}" for n in (task.target, task.destination) if n]
    return (task.kind, str(task.direction), *named)
