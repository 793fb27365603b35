"""A run's progress, and the learning rate at it."""

import math
from dataclasses import dataclass

from robot_vision.training.engine.recipes.recipe import OptimizerOptions, RunOptions


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run's progress: steps done, seconds of training, best metric and evaluations since.

    `start` is the metric of the initial weights, if these were evaluated.
    """

    step: int = 0
    trained_s: float = 0.0
    best: float | None = None
    stale_evaluations: int = 0
    start: float | None = None


def progress(run: RunOptions, state: RunState) -> float:
    """Fraction of the run that is done, by steps or by time, whichever is further."""
    by_steps = state.step / run.steps if run.steps else 0.0
    by_time = state.trained_s / (60 * run.budget_minutes) if run.budget_minutes else 0.0
    return max(by_steps, by_time)


def is_over(run: RunOptions, state: RunState) -> bool:
    """Whether the run reached its limit, or its patience is exhausted."""
    return progress(run, state) >= 1 or 0 < run.patience <= state.stale_evaluations


def is_evaluation_due(run: RunOptions, state: RunState) -> bool:
    """Whether to evaluate: after some rounds, and at the end."""
    if run.rounds_per_evaluation == 0:
        return False
    return (
        progress(run, state) >= 1
        or state.step % (run.round_steps * run.rounds_per_evaluation) == 0
    )


def learning_rate_factor(optimizer: OptimizerOptions, step: int, part: float) -> float:
    """Linear warm-up by steps, then a cosine over the run."""
    last, part = optimizer.last_learning_rate, min(1.0, part)
    cosine = last + (1 - last) * 0.5 * (1 + math.cos(math.pi * part))
    return min(1.0, (step + 1) / max(1, optimizer.warmup_steps)) * cosine
