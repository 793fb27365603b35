"""One optimiser step: a batch in parts, forward and backward, clipped, averaged."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import RobotVisionError
from robot_vision.training.engine.run import Run
from robot_vision.training.engine.stepping.distributed import (
    average_gradients,
    process_count,
    rank,
)
from robot_vision.training.engine.stepping.memory import Memory

# Below this scale an fp16 step is skipped whatever the gradients are.
_LEAST_SCALE = 1.0

_Losses = dict[str, Float[Tensor, ""]]


class DivergedError(RobotVisionError, FloatingPointError):
    """Gradients are not finite; the round's training is not saved."""


class RunningMeans:
    """Means of losses, accumulated on the device: reading each would make a GPU wait."""

    def __init__(self) -> None:
        self._sums: _Losses = {}
        self._count = 0

    def add(self, losses: _Losses) -> None:
        self._count += 1
        for name, loss in losses.items():
            self._sums[name] = self._sums[name] + loss if name in self._sums else loss.clone()

    def mean(self) -> _Losses:
        return {name: total / self._count for name, total in self._sums.items()}

    def read(self) -> dict[str, float]:
        return {name: float(total) / self._count for name, total in self._sums.items()}


def train_step(run: Run, batches: Iterator[Any], step: int, memory: Memory) -> _Losses:
    """Take the next batches and step; returns `total`, `gradient` and the parts of the loss.

    All random numbers of a step depend on seed, step and process: a resumed run draws the same.
    """
    run.model.train()
    for norm in run.frozen_norms:
        norm.eval()
    run.optimizer.zero_grad(set_to_none=True)
    parts = run.recipe.run.accumulate
    means = RunningMeans()
    for part in range(parts):
        torch.manual_seed(_seed(run, step * parts + part))
        means.add(_descend(run, batches, parts, memory))
    with memory.phase("optimizer"):
        norm = _update(run)
    run.task.after_step(run.model, step)
    return means.mean() | {"gradient": norm}


def _seed(run: Run, part: int) -> int:
    return (run.recipe.run.seed * process_count() + rank()) * 10_000_000 + part


def _descend(run: Run, batches: Iterator[Any], parts: int, memory: Memory) -> _Losses:
    """Add the gradients of one part of a step."""
    with memory.phase("data"):
        batch = next(batches)
    with memory.phase("forward"):
        with run.precision.forward():
            answer = run.task.answer(run.model, batch)
        total, losses = run.task.loss(answer, batch)
    with memory.phase("backward"):
        run.precision.scaler.scale(total if parts == 1 else total / parts).backward()
    return {"total": total.detach()} | losses


def _update(run: Run) -> Float[Tensor, ""]:
    """Step along the mean of the processes' gradients; returns their norm before clipping."""
    scaler = run.precision.scaler
    average_gradients(p for group in run.optimizer.param_groups for p in group["params"])
    scaler.unscale_(run.optimizer)
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), run.recipe.optimizer.gradient_norm)
    scaler.step(run.optimizer)
    scaler.update()
    if run.zeros is not None:
        run.zeros.restore()
    run.averaged.update_parameters(run.model)
    # A scaler that tries a larger scale skips overflowing steps: that is not an error.
    return norm if not scaler.is_enabled() else torch.where(norm.isfinite(), norm, 0.0)


def check_finite(run: Run, losses: dict[str, float]) -> None:
    """Raise `DivergedError` unless the round's losses and gradients were finite."""
    advice = (
        "lower optimizer.learning_rate or raise optimizer.warmup_steps; the same command resumes "
        "from the last good checkpoint"
    )
    scaler = run.precision.scaler
    if scaler.is_enabled() and scaler.get_scale() < _LEAST_SCALE:
        raise DivergedError(f"no scale keeps the gradients finite in fp16; {advice}, or use bf16")
    watched = ("gradient",) if scaler.is_enabled() else ("gradient", "total")
    for name in watched:
        if not math.isfinite(losses[name]):
            raise DivergedError(f"the {name} is {losses[name]}; losses {losses}; {advice}")
