"""The training loop: rounds of steps, a checkpoint after each, an evaluation after some."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch
from torch import nn
from torch.utils.data import DataLoader

from robot_vision.core.errors import ConfigError
from robot_vision.training.augment import AlbumentationsAugment
from robot_vision.training.checkpoint import (
    RunState,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from robot_vision.training.coco_set import load_coco_set
from robot_vision.training.curves import append_row
from robot_vision.training.dataset import Batch, SampleCache, SampleStream, collate
from robot_vision.training.distributed import (
    agreed,
    average_gradients,
    process_count,
    process_group,
    rank,
)
from robot_vision.training.evaluate import evaluate, torch_predictor
from robot_vision.training.recipe import Recipe, Resolution, save_recipe
from robot_vision.training.report import Reporter
from robot_vision.training.run import (
    BEST_WEIGHTS,
    CHECKPOINT,
    CURVES,
    RECIPE,
    WEIGHTS,
    Run,
    build_run,
)

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
    while progress(recipe, state) < 1 and not _out_of_patience(recipe, state):
        state, row = _round(run, state, reporter)
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


def _round(run: Run, state: RunState, reporter: Reporter) -> tuple[RunState, dict[str, float]]:
    """`round_steps` steps; returns the state after them and the mean of the losses."""
    recipe = run.recipe
    sums: dict[str, float] = {}
    first = state
    started_s = perf_counter()
    for batch in _batches(run, state):
        part = progress(recipe, state)
        factor = learning_rate_factor(recipe, state.step, part)
        for group in run.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor
        torch.manual_seed(recipe.seed + state.step)
        for name, value in _step(run, batch.to(run.device)).items():
            sums[name] = sums.get(name, 0.0) + value
        trained_s = agreed(first.trained_s + perf_counter() - started_s, run.device)
        state = replace(state, step=state.step + 1, trained_s=trained_s)
        reporter.on_step(min(1.0, progress(recipe, state)))
        if progress(recipe, state) >= 1:
            break
    steps = state.step - first.step
    elapsed_s = state.trained_s - first.trained_s
    row = {"step": state.step, "minutes": state.trained_s / 60, "part": progress(recipe, state)}
    row["images_per_s"] = steps * recipe.batch_size / elapsed_s
    row["learning_rate"] = run.optimizer.param_groups[0]["lr"]
    return state, row | {name: value / steps for name, value in sums.items()}


def _step(run: Run, batch: Batch) -> dict[str, float]:
    run.model.train()
    with torch.autocast(run.device.type, torch.bfloat16, enabled=run.device.type == "cuda"):
        out = run.model(batch.rgb, batch.depth_m)
    total, losses = run.criterion(out, batch)
    run.optimizer.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(
        parameter for group in run.optimizer.param_groups for parameter in group["params"]
    )
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), GRADIENT_NORM)
    if not torch.isfinite(norm):
        raise FloatingPointError(f"the gradient is {norm.item()}; losses {losses}")
    run.optimizer.step()
    run.averaged.update_parameters(run.model)
    return {"total": total.item()} | {name: loss.item() for name, loss in losses.items()}


def _batches(run: Run, state: RunState) -> Iterator[Batch]:
    """The batches of one round. The set is read anew, so that it may grow while we train."""
    recipe = run.recipe
    source = load_coco_set(Path(recipe.train_set))
    largest = max(recipe.resolutions, key=lambda r: r.width_px)
    cache = SampleCache(
        source,
        width_px=largest.width_px,
        height_px=largest.height_px,
        folder=cache_folder(recipe.cache_dir, recipe.train_set),
    )
    stream = SampleStream(
        cache, augment=AlbumentationsAugment(recipe.augmentation), seed=recipe.seed
    )
    size = resolution_at(recipe, progress(recipe, state))
    steps = range(state.step, state.step + recipe.round_steps)
    first, stride = rank(), process_count()
    numbers = (
        range(s * recipe.batch_size + first, (s + 1) * recipe.batch_size, stride) for s in steps
    )
    yield from DataLoader(
        stream,
        batch_sampler=[[(n, size.width_px, size.height_px) for n in batch] for batch in numbers],
        collate_fn=collate,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
        worker_init_fn=_start_worker,
    )


def cache_folder(cache_dir: str, set_folder: str) -> Path:
    """Where decoded samples of a set are kept."""
    return Path(cache_dir) / Path(set_folder).name if cache_dir else Path(set_folder) / "cache"


def _start_worker(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


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
