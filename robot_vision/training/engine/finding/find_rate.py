"""The learning-rate finder: one short run whose rate grows at every step.

Smith, arXiv:1506.01186. Nothing that it trains is kept.
"""

import math
from contextlib import closing
from dataclasses import dataclass

from robot_vision.training.engine.run import Run
from robot_vision.training.engine.stepping.memory import Memory
from robot_vision.training.engine.stepping.rates import set_learning_rate
from robot_vision.training.engine.stepping.step import train_step

LOWEST, HIGHEST = 1e-6, 1.0
STEPS = 100
_SMOOTHING = 0.9
_LEAST_STEPS = 10
# A loss this much above the first one, relative to it, will not recover.
_DIVERGED = 0.5
# This far below the rate with the lowest loss, the loss still falls steadily.
_BELOW_LOWEST = 10.0


@dataclass(frozen=True, kw_only=True)
class RateFinding:
    """Rates tried with their smoothed losses, and the highest rate to train with.

    `suggestion` is 0 if no rate made the loss fall.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float


def find_learning_rate(run: Run, *, steps: int = STEPS) -> RateFinding:
    """Train with rates from `LOWEST` to `HIGHEST` until the loss diverges."""
    memory, smoothed = Memory(run.device), 0.0
    memory.is_watching = False
    rates, losses = list[float](), list[float]()
    with closing(run.task.batches(0, 0.0)) as batches:
        for step in range(steps):
            rate = LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1))
            set_learning_rate(run.optimizer, rate)
            loss = float(train_step(run, batches, step, memory)["total"])
            if not math.isfinite(loss):
                break
            smoothed = _SMOOTHING * smoothed + (1 - _SMOOTHING) * loss
            rates.append(rate)
            losses.append(smoothed / (1 - _SMOOTHING ** (step + 1)))
            if step >= _LEAST_STEPS and losses[-1] > losses[0] + _DIVERGED * abs(losses[0]):
                break
    return RateFinding(rates=rates, losses=losses, suggestion=suggested_rate(rates, losses))


def suggested_rate(rates: list[float], losses: list[float]) -> float:
    """A tenth of the rate at which the loss is lowest; 0 if it never fell."""
    if not losses or min(losses) >= losses[0]:
        return 0.0
    lowest = min(range(len(losses)), key=losses.__getitem__)
    return float(f"{rates[lowest] / _BELOW_LOWEST:.1g}")
