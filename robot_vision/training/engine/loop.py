"""The training loop: rounds of steps, a checkpoint after each, an evaluation after some."""

import math
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from robot_vision.core.errors import ConfigError
from robot_vision.training.engine.checkpoint import (
    cannot_save,
    load_checkpoint,
    save_checkpoint,
    save_run_weights,
)
from robot_vision.training.engine.curves import append_row, drop_rows_after
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import save_recipe
from robot_vision.training.engine.report import Reporter
from robot_vision.training.engine.run import (
    BEST_WEIGHTS,
    CHECKPOINT,
    CURVES,
    LAST_WEIGHTS,
    MEMORY,
    RECIPE,
    WEIGHTS,
    Run,
    build_run,
)
from robot_vision.training.engine.stepping.distributed import (
    agreed,
    process_group,
    rank,
    share_buffers,
)
from robot_vision.training.engine.stepping.memory import Memory
from robot_vision.training.engine.stepping.rates import set_learning_rate
from robot_vision.training.engine.stepping.schedule import (
    RunState,
    is_evaluation_due,
    is_over,
    learning_rate_factor,
    progress,
)
from robot_vision.training.engine.stepping.step import RunningMeans, check_finite, train_step
from robot_vision.training.engine.task import StoppedError


def train(recipe: Recipe, folder: Path, *, reporter: Reporter) -> RunState:
    """Train, or resume from the folder's checkpoint; returns the final progress.

    Writes `recipe.yaml`, `checkpoint.safetensors`, `weights.safetensors` (averaged),
    `curves.csv`, `memory.json` and, where the task selects, `best.safetensors`. With
    `run.patience`, or if the task keeps the best, the final weights are the best ones, and
    `last.safetensors` are the last.
    """
    options = recipe.run
    if options.steps == 0 and options.budget_minutes == 0:
        raise ConfigError("run.steps = 0 and run.budget_minutes = 0: one must bound the run")
    torch.set_num_threads(options.threads)
    with process_group(options.device):
        run = build_run(recipe)
        _check_patience(run)
        return _train(run, folder, reporter)


def _check_patience(run: Run) -> None:
    options = run.recipe.run
    if options.patience and not (run.task.metric and options.rounds_per_evaluation):
        raise ConfigError(
            f"run.patience = {options.patience} needs evaluations (run.rounds_per_evaluation) "
            f"and a metric that selects weights; that of the task {run.recipe.task!r} is "
            f"{run.task.metric or 'none'}"
        )


def _train(run: Run, folder: Path, reporter: Reporter) -> RunState:
    options, memory, state = run.recipe.run, Memory(run.device), RunState()
    if (folder / CHECKPOINT).exists():
        state = load_checkpoint(folder / CHECKPOINT, run)
    if rank() == 0:
        _open_folder(run, folder, state, reporter)
    if state.step == 0:
        state = _evaluate_start(run, folder, state, reporter)
    while not is_over(options, state):
        state, row = _round(run, state, memory, reporter)
        share_buffers(run.modules.values())
        if is_evaluation_due(options, state):
            try:
                state, figures = _evaluate(run, folder, state, memory)
            except StoppedError:
                _restore_best(run, folder, state, reporter)
                raise
            row |= figures
        if rank() == 0:
            _save(run, folder, state, row, memory)
            reporter.on_round(row)
    if rank() == 0:
        _restore_best(run, folder, state, reporter)
        reporter.on_note(memory.summary())
    return state


def _open_folder(run: Run, folder: Path, state: RunState, reporter: Reporter) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_recipe(run.recipe, folder / RECIPE)
        drop_rows_after(folder / CURVES, state.step)
    except OSError as error:
        raise cannot_save(folder / RECIPE, error) from error
    if state.step:
        reporter.on_note(f"resumes from step {state.step} of {folder}")
    warmup_steps = run.recipe.optimizer.warmup_steps
    if 0 < run.recipe.run.steps <= warmup_steps:
        reporter.on_note(
            f"the learning rate never reaches its maximum: run.steps = {run.recipe.run.steps}, "
            f"optimizer.warmup_steps = {warmup_steps}"
        )
    for note in run.notes:
        reporter.on_note(note)


def _round(
    run: Run, state: RunState, memory: Memory, reporter: Reporter
) -> tuple[RunState, dict[str, float]]:
    """`round_steps` steps; returns the state after them and the means of the losses."""
    recipe, first, means = run.recipe, state, RunningMeans()
    options = recipe.run
    batches = run.task.batches(state.step * options.accumulate, progress(options, state))
    with closing(batches):
        started_s = perf_counter()
        for _ in range(options.round_steps):
            memory.is_watching = state.step == first.step
            part = progress(options, state)
            factor = learning_rate_factor(recipe.optimizer, state.step, part)
            set_learning_rate(run.optimizer, recipe.optimizer.learning_rate * factor)
            losses = train_step(run, batches, state.step, memory)
            means.add(losses)
            trained_s = agreed(first.trained_s + perf_counter() - started_s, run.device)
            state = replace(state, step=state.step + 1, trained_s=trained_s)
            reporter.on_step(min(1.0, progress(options, state)), losses["total"])
            if progress(options, state) >= 1:
                break
    read = means.read()
    check_finite(run, read)
    elapsed_s = state.trained_s - first.trained_s
    row = {
        "step": state.step,
        "minutes": state.trained_s / 60,
        "part": progress(options, state),
        "samples_per_s": (state.step - first.step) * options.batch_size / elapsed_s,
        "learning_rate": run.optimizer.param_groups[0]["lr"],
    }
    return state, row | read


def _evaluate_start(run: Run, folder: Path, state: RunState, reporter: Reporter) -> RunState:
    """If the task compares with them, the initial weights are the best so far."""
    figures = run.task.evaluate_start(run.averaged.module) if rank() == 0 else {}
    found = agreed(figures.get(run.task.metric, math.nan), run.device)
    if rank() == 0 and figures:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        reporter.on_note(f"it begins with {shown}")
    if math.isnan(found):
        return state
    if rank() == 0:
        save_run_weights(folder / BEST_WEIGHTS, run)
    return replace(state, best=found, start=found)


def _evaluate(
    run: Run, folder: Path, state: RunState, memory: Memory
) -> tuple[RunState, dict[str, float]]:
    """Metrics of the averaged weights on held-out data (process 0); keeps the best weights."""
    figures: dict[str, float] = {}
    if rank() == 0:
        memory.is_watching = True
        with memory.phase("evaluation"):
            figures = run.task.evaluate(run.averaged.module)
    found = agreed(figures.get(run.task.metric, math.nan), run.device)
    if math.isnan(found):  # no such data, or no metric selects weights
        return state, figures
    if state.best is not None and found <= state.best:
        return replace(state, stale_evaluations=state.stale_evaluations + 1), figures
    if rank() == 0:
        save_run_weights(folder / BEST_WEIGHTS, run)
    return replace(state, best=found, stale_evaluations=0), figures


def _save(run: Run, folder: Path, state: RunState, row: dict[str, float], memory: Memory) -> None:
    """The checkpoint last: a killed run rewrites everything else of this round."""
    save_run_weights(folder / WEIGHTS, run)
    try:
        append_row(folder / CURVES, row)
        memory.save(folder / MEMORY)
    except OSError as error:
        raise cannot_save(folder / CURVES, error) from error
    save_checkpoint(folder / CHECKPOINT, run, state)


def _restore_best(run: Run, folder: Path, state: RunState, reporter: Reporter) -> None:
    """A run with early stopping, or whose task requests it, ends with its best weights."""
    if not (run.recipe.run.patience or run.task.keeps_best) or state.best is None:
        return
    if state.best == state.start:
        reporter.on_note(
            f"no evaluation is better than the {run.task.metric} of {state.start:.4g} that it "
            f"began with: {WEIGHTS} holds the weights that it began from, {LAST_WEIGHTS} the last"
        )
    try:
        save_run_weights(folder / LAST_WEIGHTS, run)
        partial = (folder / WEIGHTS).with_suffix(".partial")
        shutil.copyfile(folder / BEST_WEIGHTS, partial)
        partial.replace(folder / WEIGHTS)
    except OSError as error:
        raise cannot_save(folder / WEIGHTS, error) from error
