"""Demonstrations in parallel processes: perception sees what the simulated robot does.

The expert leads, disturbed; or a policy leads, and the expert says what it should have done
(DAgger, Ross et al. 2011). An episode depends on recipe and number alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.types import Observation
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.observation import encode_observation
from robot_vision.policies.tokens import PolicyInputs
from robot_vision.rollouts.closed_loop import ClosedLoop, Delays, policy_of
from robot_vision.rollouts.episode_files import (
    Sample,
    SetDescription,
    save_episode,
    write_description,
)
from robot_vision.rollouts.labels import Labelled, answer, labelled
from robot_vision.rollouts.simulated_perception import Sight, eyesight_of
from robot_vision.simulation.palette import SPLITS, Split
from robot_vision.simulation.parallel import run_jobs
from robot_vision.simulation.robot.episode import STEP_S, STEPS, Noise, run_expert
from robot_vision.simulation.robot.expert import is_finished, is_lost
from robot_vision.simulation.robot.phrases import instruct
from robot_vision.simulation.robot.task import KINDS, Task
from robot_vision.simulation.robot.tasks import (
    absent_task,
    build_task_world,
    possible_tasks,
    success,
)
from robot_vision.simulation.robot.world import RobotWorld

HISTORY = 2
# Whoever can point at nothing does not mind a false track; one that is missing cannot be had.
PERCEPTION = {
    "detector.score_threshold": 0.25,
    "tracker.high_score": 0.3,
    "tracker.birth_evidence": -0.85,  # as log-odds, a score of 0.3
}
_WORDINGS = 6
# A policy that leads is watched so long after it is done, and given up if it stays in a place.
_DONE_S, _STUCK_S, _STUCK_M = 1.2, 3.0, 0.01
_LATENCY_S = (0.03, 0.15)


@dataclass(frozen=True, kw_only=True)
class CollectRecipe:
    """What episodes depend on. `policy` is a bundle that leads; empty: the expert leads.

    `frames` ends episodes early, 0 leaves them whole: a glance at many scenes teaches words at
    little cost. Each frame is shown with the episode's instruction, `others` that could be given
    in it, and `absent` about things that are not there. `perception` holds parameters of the
    service by dotted name, for the live service to match.
    """

    seed: int
    split: Split
    perception_model: str
    policy: str = ""
    frames: int = 0
    others: int = 3
    absent: int = 1
    perception: dict[str, Any] = field(default_factory=dict)


Frames = list[tuple[PolicyInputs, list[Sample]]]


def collect_episodes(
    folder: Path,
    recipe: CollectRecipe,
    *,
    episodes: int,
    processes: int,
    on_progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Write the episodes that the folder lacks; `on_progress` is told how many are there.

    Raises `ConfigError` if the folder holds episodes of another kind, or the policy that is to
    lead was trained on another perception.
    """
    eyesight = eyesight_of(recipe.perception_model, recipe.perception)
    if recipe.policy:
        wanted = find_policy(recipe.policy).manifest.action_spec.perception_model_id
        if wanted != eyesight.model_id:
            raise ConfigError(
                f"{recipe.policy} was trained on {wanted}; {recipe.perception_model!r} is "
                f"{eyesight.model_id}: train it anew, or name the bundle with --model"
            )
    write_description(
        folder,
        SetDescription(
            perception_model_id=eyesight.model_id,
            class_names=eyesight.class_names,
            perception=recipe.perception,
            history=HISTORY,
            step_s=STEP_S,
            recipe=asdict(recipe),
        ),
    )
    missing = [n for n in range(episodes) if not _file(folder, n).exists()]
    done = episodes - len(missing)
    on_progress(done)
    jobs = [(folder, recipe, number) for number in missing]
    for _ in run_jobs(write_one, jobs, processes=processes):
        done += 1
        on_progress(done)


def write_one(job: tuple[Path, CollectRecipe, int]) -> None:
    """Make and write one episode."""
    folder, recipe, number = job
    save_episode(_file(folder, number), make_episode(recipe, number), horizon=STEPS)


def make_episode(recipe: CollectRecipe, number: int) -> Frames:
    """The frames of one episode, each with the expert's answers to several instructions."""
    key = (recipe.seed, SPLITS.index(recipe.split), number)
    rng = np.random.default_rng(key)
    eyesight = eyesight_of(recipe.perception_model, recipe.perception)
    world, task = build_task_world(rng, split=recipe.split, kind=KINDS[number % len(KINDS)])
    with world:
        teacher = _Teacher(world, task, recipe, rng)
        sight = Sight(world, eyesight, history=HISTORY, step_s=STEP_S)
        lead = _policy_leads if recipe.policy else _expert_leads
        for observation in islice(lead(sight, world, task, recipe, rng), recipe.frames or None):
            teacher.teach(observation)
    return teacher.frames


def _expert_leads(
    sight: Sight, world: RobotWorld, task: Task, recipe: CollectRecipe, rng: np.random.Generator
) -> Iterator[Observation]:
    del recipe
    for _ in run_expert(
        world, task, rng=rng, noise=Noise(), linger_s=0.3, on_command=lambda _: sight.note()
    ):
        yield sight.observe(sight.look())


def _policy_leads(
    sight: Sight, world: RobotWorld, task: Task, recipe: CollectRecipe, rng: np.random.Generator
) -> Iterator[Observation]:
    """Until the task is done or its time is up: mishaps are what is to be learnt from."""
    words = instruct(task, rng, held_out=False)
    delays = Delays(latency_s=float(rng.uniform(*_LATENCY_S)))
    loop = ClosedLoop(sight, world, policy_of(recipe.policy), words, delays=delays)
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


class _Teacher:
    """Keeps what was seen of one episode, and what the expert says to it."""

    def __init__(
        self, world: RobotWorld, task: Task, recipe: CollectRecipe, rng: np.random.Generator
    ) -> None:
        self._world, self._task, self._recipe, self._rng = world, task, recipe, rng
        self._texts: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.frames: Frames = []

    def teach(self, observation: Observation) -> None:
        """Add a frame; the world stands as it did at the observation's stamp."""
        inputs = encode_observation(observation, history=HISTORY)
        seen = labelled(self._world, observation, inputs)
        samples = [answer(seen, task, self._wordings(task)) for task in self._tasks(seen)]
        self.frames.append((inputs, [s for s in samples if s is not None]))

    def _tasks(self, seen: Labelled) -> Iterator[Task]:
        """The episode's own, others that could be asked for now, and some about absent things."""
        yield self._task
        visible = set(seen.item[seen.item >= 0].tolist()) - {self._task.target.item}
        others = [t for t in possible_tasks(self._world) if t.target.item in visible]
        # Kinds take turns: there are many more pairs to put than things to pick.
        by_kind = [[t for t in others if t.kind == kind] for kind in KINDS]
        for tasks in by_kind:
            self._rng.shuffle(tasks)  # pyright: ignore[reportArgumentType]
        turns = [t for turn in zip_longest(*by_kind) for t in turn if t is not None]
        first = int(self._rng.integers(len(KINDS)))
        yield from [*turns[first:], *turns[:first]][: self._recipe.others]
        for _ in range(self._recipe.absent):
            yield absent_task(self._world, self._rng)

    def _wordings(self, task: Task) -> tuple[str, ...]:
        """Some paraphrases, the same in all frames of the episode."""
        key, held_out = _meaning(task), self._recipe.split != "train"
        if key not in self._texts:
            self._texts[key] = tuple(
                instruct(task, self._rng, held_out=held_out and bool(k % 2))
                for k in range(_WORDINGS)
            )
        return self._texts[key]


def _meaning(task: Task) -> tuple[str, ...]:
    """What words say of a task."""
    named = [f"{n.color_name} {n.class_name}" for n in (task.target, task.destination) if n]
    return (task.kind, str(task.direction), *named)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"
