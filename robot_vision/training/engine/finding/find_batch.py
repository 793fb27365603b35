"""The batch-size finder: the largest that fits a GPU's memory; on a CPU, a fast one."""

from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter

import torch

from robot_vision.training.engine.run import Run
from robot_vision.training.engine.stepping.memory import Memory
from robot_vision.training.engine.stepping.step import train_step

MOST = 4096
_TIMED_STEPS = 3
_LONGEST_TRIAL_S = 20.0
# This share of the best throughput counts as equal to the best.
_AS_GOOD = 0.95
# Part of a GPU's memory to use: fragmentation and other sizes take the rest.
_USABLE = 0.9
_MULTIPLE = 8


@dataclass(frozen=True, kw_only=True)
class BatchTrial:
    """One size: its throughput and its peak memory; neither if it did not fit."""

    batch_size: int
    samples_per_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def fits(self) -> bool:
        return self.samples_per_s > 0


def find_batch_size(run: Run, *, most: int = MOST) -> tuple[list[BatchTrial], int]:
    """Try doubling sizes; returns the trials and a suggestion. Nothing trained is kept.

    On a CPU: the smallest size within 5 % of the best throughput. On a GPU: the largest that
    leaves a tenth of the memory free, interpolated between the last two sizes tried.
    """
    on_gpu = run.device.type == "cuda"
    trials = list[BatchTrial]()
    size = 1
    while size <= most:
        trial, took_s = _try(run, size)
        trials.append(trial)
        if not trial.fits or took_s > _LONGEST_TRIAL_S:
            break
        if on_gpu and trial.peak_mb > _USABLE * _total_mb(run.device):
            break
        if not on_gpu and _no_longer_faster(trials):
            break
        size *= 2
    if on_gpu:
        return trials, largest_that_fits(trials, _USABLE * _total_mb(run.device))
    return trials, smallest_that_is_fast(trials)


def smallest_that_is_fast(trials: list[BatchTrial]) -> int:
    """The smallest size about as fast as the fastest."""
    best = max(trial.samples_per_s for trial in trials)
    return next(t.batch_size for t in trials if t.samples_per_s >= _AS_GOOD * best)


def largest_that_fits(trials: list[BatchTrial], usable_mb: float) -> int:
    """The largest size whose peak is within `usable_mb`; 0 if none is."""
    fitting = [t for t in trials if t.fits and t.peak_mb <= usable_mb]
    if not fitting:
        return 0
    last = fitting[-1]
    if len(fitting) < 2 or last is trials[-1]:
        return last.batch_size
    before = fitting[-2]
    slope = (last.peak_mb - before.peak_mb) / (last.batch_size - before.batch_size)
    room = (usable_mb - last.peak_mb) / max(slope, 1e-9)
    larger = int(last.batch_size + room) // _MULTIPLE * _MULTIPLE
    return max(last.batch_size, min(larger, 2 * last.batch_size - 1))


def _no_longer_faster(trials: list[BatchTrial]) -> bool:
    """Whether the last two doublings brought nothing."""
    if len(trials) < 3:
        return False
    best_before = max(t.samples_per_s for t in trials[:-2])
    return max(t.samples_per_s for t in trials[-2:]) < best_before / _AS_GOOD


def _try(run: Run, size: int) -> tuple[BatchTrial, float]:
    """A warm-up and some steps of one size, and how long they took."""
    options = run.recipe.run.model_copy(update={"batch_size": size, "accumulate": 1})
    recipe = run.recipe.model_copy(update={"run": options})
    run.task.recipe = recipe
    memory, sized = Memory(run.device), replace(run, recipe=recipe)
    started_s = perf_counter()
    try:
        with closing(run.task.batches(0, 1.0)) as batches:
            train_step(sized, batches, 0, memory)
            memory.is_watching = False
            _wait(run.device)
            timed_s = perf_counter()
            for step in range(1, 1 + _TIMED_STEPS):
                train_step(sized, batches, step, memory)
            _wait(run.device)
    except torch.OutOfMemoryError:
        run.optimizer.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        return BatchTrial(batch_size=size), perf_counter() - started_s
    elapsed_s = perf_counter() - timed_s
    trial = BatchTrial(
        batch_size=size,
        samples_per_s=_TIMED_STEPS * size / elapsed_s,
        peak_mb=max(memory.peak_mb.values()),
    )
    return trial, perf_counter() - started_s


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _total_mb(device: torch.device) -> float:
    return torch.cuda.get_device_properties(device).total_memory / 1e6
