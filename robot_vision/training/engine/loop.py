"""The training loop: rounds of steps, a checkpoint after each, an evaluation after some."""

import math
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.batches import BatchStream, cache_folder
from robot_vision.training.data.coco import load_coco_set
from robot_vision.training.data.samples import Batch, SampleCache
from robot_vision.training.engine.checkpoint import (
    RunState,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from robot_vision.training.engine.curves import append_row
from robot_vision.training.engine.distributed import (
    agreed,
    average_gradients,
    process_group,
    rank,
)
from robot_vision.training.engine.old_recipe import Recipe, Resolution, save_recipe
from robot_vision.training.engine.report import Reporter
from robot_vision.training.engine.run import (
    BEST_WEIGHTS,
    CHECKPOINT,
    CURVES,
    RECIPE,
    WEIGHTS,
    Run,
    build_run,
)
from robot_vision.training.metrics.native import evaluate, torch_predictor

GRADIENT_NORM = 10.0
LAST_LEARNING_RATE = 0.01


def train(recipe: Recipe, folder: Path, *, reporter: Reporter) -> RunState:
    """Train, or go on from the folder's checkpoint; returns how far it came.

    Writes `recipe.yaml`, `checkpoint.safetensors`, `weights.safetensors` (averaged), `curves.csv`
    and, where a held-out set is evaluated, `best.safetensors`.
    """
    if recipe.steps == 0 and recipe.budget_minutes == 0:
        raise ConfigError("steps = 0 and budget_minutes = 0: one of them must bound the run")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(recipe.threads)
    with process_group():
        return _train(build_run(recipe, folder), reporter)


def _train(run: Run, reporter: Reporter) -> RunState:
    recipe, checkpoint = run.recipe, run.folder / CHECKPOINT
    state = RunState()
    if checkpoint.exists():
        state = load_checkpoint(checkpoint, modules=run.modules, optimizer=run.optimizer)
    if rank() == 0:
        save_recipe(recipe, run.folder / RECIPE)
    stream = BatchStream(recipe, run.device)
    while progress(recipe, state) < 1 and not _out_of_patience(recipe, state):
        state, row = _round(run, stream, state, reporter)
        if _evaluation_due(recipe, state):
            state, metrics = _evaluate(run, state)
            row |= metrics
        if rank() == 0:
            append_row(run.folder / CURVES, row)
            _save(run, state)
            reporter.on_round(row)
    return state


def progress(recipe: Recipe, state: RunState) -> float:
    """Part of the run that is done, by steps or by time, whichever is further."""
    by_steps = state.step / recipe.steps if recipe.steps else 0.0
    by_time = state.trained_s / (60 * recipe.budget_minutes) if recipe.budget_minutes else 0.0
    return max(by_steps, by_time)


def resolution_at(recipe: Recipe, part: float) -> Resolution:
    """The training size at a part of the run."""
    return next((r for r in recipe.resolutions if part < r.until), recipe.resolutions[-1])


def learning_rate_factor(recipe: Recipe, step: int, part: float) -> float:
    """Linear warm-up by steps, then a cosine over the run."""
    cosine = LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * 0.5 * (1 + math.cos(math.pi * part))
    return min(1.0, (step + 1) / max(1, recipe.warmup_steps)) * cosine


def _round(
    run: Run, stream: BatchStream, state: RunState, reporter: Reporter
) -> tuple[RunState, dict[str, float]]:
    """`round_steps` steps; returns the state after them and the mean of the losses."""
    recipe, first, means = run.recipe, state, RunningMeans()
    size = resolution_at(recipe, progress(recipe, state))
    started_s = perf_counter()
    for _ in range(recipe.round_steps):
        factor = learning_rate_factor(recipe, state.step, progress(recipe, state))
        for group in run.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor
        means.add(_step(run, stream.batch(state.step, size)))
        trained_s = agreed(first.trained_s + perf_counter() - started_s, run.device)
        state = replace(state, step=state.step + 1, trained_s=trained_s)
        reporter.on_step(min(1.0, progress(recipe, state)))
        if progress(recipe, state) >= 1:
            break
    losses = means.read()
    if not math.isfinite(losses["gradient"]):
        raise FloatingPointError(f"the gradient is {losses['gradient']}; losses {losses}")
    steps = state.step - first.step
    elapsed_s = state.trained_s - first.trained_s
    row = {"step": state.step, "minutes": state.trained_s / 60, "part": progress(recipe, state)}
    row["images_per_s"] = steps * recipe.batch_size / elapsed_s
    row["learning_rate"] = run.optimizer.param_groups[0]["lr"]
    return state, row | losses


def _step(run: Run, batch: Batch) -> dict[str, Tensor]:
    run.model.train()
    with torch.autocast(run.device.type, torch.bfloat16, enabled=run.device.type == "cuda"):
        out = run.model(batch.rgb, batch.depth_m, batch.focal_px)
    total, losses = run.criterion(out, batch)
    run.optimizer.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(
        parameter for group in run.optimizer.param_groups for parameter in group["params"]
    )
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), GRADIENT_NORM)
    run.optimizer.step()
    run.averaged.update_parameters(run.model)
    return {"total": total.detach(), "gradient": norm} | losses


class RunningMeans:
    """Means of losses, summed up where they are: reading each would make a GPU wait."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, losses: dict[str, Tensor]) -> None:
        self._count += 1
        for name, loss in losses.items():
            self._sums[name] = self._sums[name] + loss if name in self._sums else loss.clone()

    def read(self) -> dict[str, float]:
        return {name: float(total) / self._count for name, total in self._sums.items()}


def _evaluate(run: Run, state: RunState) -> tuple[RunState, dict[str, float]]:
    """Metrics of the averaged weights on the first images of the held-out set (process 0)."""
    metrics = _measure(run) if rank() == 0 else {}
    ap = agreed(metrics.get("AP", 0.0), run.device)
    if ap <= state.best_ap:
        return replace(state, stale_evaluations=state.stale_evaluations + 1), metrics
    if rank() == 0:
        save_weights(run.folder / BEST_WEIGHTS, run.averaged_model, class_names=run.class_names)
    return replace(state, best_ap=ap, stale_evaluations=0), metrics


def _measure(run: Run) -> dict[str, float]:
    recipe = run.recipe
    largest = recipe.resolutions[-1]
    cache = SampleCache(
        load_coco_set(Path(recipe.val_set)),
        width_px=largest.width_px,
        height_px=largest.height_px,
        folder=cache_folder(recipe.cache_dir, recipe.val_set),
    )
    predict = torch_predictor(run.averaged_model, device=run.device)
    return evaluate(predict, cache, images=recipe.evaluation_images).metrics


def _evaluation_due(recipe: Recipe, state: RunState) -> bool:
    if not recipe.val_set or recipe.rounds_per_evaluation == 0:
        return False
    last = progress(recipe, state) >= 1
    return last or state.step % (recipe.round_steps * recipe.rounds_per_evaluation) == 0


def _out_of_patience(recipe: Recipe, state: RunState) -> bool:
    return 0 < recipe.patience <= state.stale_evaluations


def _save(run: Run, state: RunState) -> None:
    save_weights(run.folder / WEIGHTS, run.averaged_model, class_names=run.class_names)
    save_checkpoint(
        run.folder / CHECKPOINT,
        modules=run.modules,
        optimizer=run.optimizer,
        state=state,
        class_names=run.class_names,
    )
