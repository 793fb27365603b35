"""Collects demonstrations in parallel processes: perception observes the simulated robot.

The expert leads, with disturbances; or a policy leads, and the expert labels what it should have
done (DAgger, Ross et al. 2011). An episode depends only on the recipe and its number.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.types import Observation
from robot_vision.model_store.policies import find_policy
from robot_vision.rollouts.collecting.leading import draw_delays, policy_leads
from robot_vision.rollouts.collecting.teacher import Frames, Teacher
from robot_vision.rollouts.collecting.vocabulary import robot_vocabulary
from robot_vision.rollouts.episode_files import (
    SetDescription,
    save_episode,
    write_description,
    write_vocabulary,
)
from robot_vision.rollouts.evaluating.closed_loop import policy_of
from robot_vision.rollouts.simulated_perception import (
    SimulatedPerception,
    eyesight_of,
    must_see_alike,
)
from robot_vision.simulation.content.palette import SPLITS, Split
from robot_vision.simulation.robot.episode import STEP_S, STEPS, Noise, run_expert
from robot_vision.simulation.robot.work.drawn_tasks import build_task_world
from robot_vision.simulation.robot.work.phrases import instruct
from robot_vision.simulation.robot.work.task import KINDS, Task
from robot_vision.simulation.robot.world import RobotWorld
from robot_vision.simulation.writing.parallel import run_jobs

HISTORY = 2
# A policy that can point at nothing tolerates a false track; a missing one cannot be recovered.
PERCEPTION = {
    "detector.score_threshold": 0.25,
    "tracker.high_score": 0.3,
    "tracker.birth_evidence": -0.85,  # as log-odds, a score of 0.3
}


@dataclass(frozen=True, kw_only=True)
class CollectRecipe:
    """Everything episodes depend on. `policy` is the bundle that leads; empty: the expert leads.

    `frames` ends episodes early, 0 leaves them whole: short looks at many scenes teach words at
    little cost. Each frame is shown with the episode's instruction, `others` that could be given
    in it, and `absent` ones about missing objects. `perception` holds parameters of the
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


def collect_episodes(
    folder: Path,
    recipe: CollectRecipe,
    *,
    episodes: int,
    processes: int,
    on_progress: Callable[[int], object] = lambda _: None,
) -> None:
    """Write the episodes missing from the folder; calls `on_progress` with the number present.

    Raises `ConfigError` if the folder holds episodes of another kind, or the policy that should
    lead was trained on a different perception.
    """
    eyesight = eyesight_of(recipe.perception_model, recipe.perception)
    if recipe.policy:
        must_see_alike(find_policy(recipe.policy).manifest, recipe.perception_model, eyesight)
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
    write_vocabulary(folder, robot_vocabulary())
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
        teacher = Teacher(
            world,
            task,
            rng,
            history=HISTORY,
            others=recipe.others,
            absent=recipe.absent,
            held_out=recipe.split != "train",
        )
        sight = SimulatedPerception(world, eyesight, history=HISTORY, step_s=STEP_S)
        lead = _policy_leads if recipe.policy else _expert_leads
        for observation in islice(lead(sight, world, task, recipe, rng), recipe.frames or None):
            teacher.teach(observation)
    return teacher.frames


def _expert_leads(
    sight: SimulatedPerception,
    world: RobotWorld,
    task: Task,
    recipe: CollectRecipe,
    rng: np.random.Generator,
) -> Iterator[Observation]:
    del recipe
    for _ in run_expert(
        world, task, rng=rng, noise=Noise(), linger_s=0.3, on_command=lambda _: sight.note()
    ):
        yield sight.observe(sight.look())


def _policy_leads(
    sight: SimulatedPerception,
    world: RobotWorld,
    task: Task,
    recipe: CollectRecipe,
    rng: np.random.Generator,
) -> Iterator[Observation]:
    words = instruct(task, rng, held_out=False)
    return policy_leads(sight, world, task, policy_of(recipe.policy), words, draw_delays(rng))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"
