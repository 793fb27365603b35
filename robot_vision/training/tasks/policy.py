"""Imitation: the loop over batches of demonstrations, resumable, in one process or several."""

import itertools
import math
from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from robot_vision.core.action_spec import ActionStatistics
from robot_vision.core.errors import ConfigError
from robot_vision.core.policy_manifest import Vocabulary
from robot_vision.models.policies.pointer import Policy, PolicySpec
from robot_vision.models.registry import MODELS
from robot_vision.policies.tokens import (
    GEOMETRY_WIDTH,
    OBJECT_SLICES,
    OBJECT_WIDTH,
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_WIDTH,
)
from robot_vision.rollouts.episode_files import PolicySet, common_description, load_set
from robot_vision.training.data.policy_batches import PolicyBatch, make_batch
from robot_vision.training.data.policy_statistics import action_statistics, standardise
from robot_vision.training.engine.checkpoint import (
    RunState,
    load_checkpoint,
    load_weights_file,
    save_checkpoint,
    save_weights,
)
from robot_vision.training.engine.curves import append_row
from robot_vision.training.engine.distributed import agreed, average_gradients, process_group, rank
from robot_vision.training.engine.report import Reporter
from robot_vision.training.engine.run import CHECKPOINT, CURVES, RECIPE, WEIGHTS
from robot_vision.training.losses.policy import mean_figures, policy_figures, policy_loss
from robot_vision.training.tasks.policy_description import (
    RUN_FILE,
    RunDescription,
    load_description,
    save_description,
)
from robot_vision.training.tasks.policy_recipe import PolicyRecipe, save_policy_recipe

GRADIENT_NORM = 1.0
LAST_LEARNING_RATE = 0.02
_VAL_BATCH = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyRun:
    """What a run consists of. `averaged` holds the weights that are evaluated and shipped."""

    recipe: PolicyRecipe
    folder: Path
    source: PolicySet
    held_out: PolicySet | None
    statistics: ActionStatistics
    policy: Policy
    averaged: AveragedModel
    optimizer: torch.optim.Optimizer
    device: torch.device

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.policy, "averaged": self.averaged}

    @property
    def averaged_policy(self) -> Policy:
        module = self.averaged.module
        assert isinstance(module, Policy)
        return module


def train_policy(
    recipe: PolicyRecipe, folder: Path, *, vocabulary: Vocabulary, reporter: Reporter
) -> RunState:
    """Train, or go on from the folder's checkpoint; returns how far it came.

    Writes `recipe.yaml`, `policy_run.json` (what exporting needs), `checkpoint.safetensors`,
    `weights.safetensors` (averaged) and `curves.csv`.
    """
    if recipe.steps == 0 and recipe.budget_minutes == 0:
        raise ConfigError("steps = 0 and budget_minutes = 0: one of them must bound the run")
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(recipe.threads)
    with process_group():
        run = _build_run(recipe, folder, vocabulary)
        return _train(run, reporter)


def policy_spec(vocabulary: Vocabulary, *, robot_tokens: int, horizon: int) -> PolicySpec:
    """Sizes of a network for the tokens of `policies.observation`."""
    return PolicySpec(
        words=len(vocabulary.words),
        max_words=vocabulary.max_words,
        object_width=OBJECT_WIDTH,
        geometry_width=GEOMETRY_WIDTH,
        centre_from_tool_at=OBJECT_SLICES["centre_from_tool"].start,
        visual_cells=VISUAL_ROWS * VISUAL_COLUMNS,
        visual_width=VISUAL_WIDTH,
        robot_width=robot_tokens,
        horizon=horizon,
    )


def _build_run(recipe: PolicyRecipe, folder: Path, vocabulary: Vocabulary) -> PolicyRun:
    torch.manual_seed(recipe.seed)
    shown = common_description(recipe.train_sets)
    source = load_set(recipe.train_sets, vocabulary)
    held_out = load_set(recipe.val_sets, vocabulary) if recipe.val_sets else None
    resumed = load_description(folder) if (folder / RUN_FILE).exists() else None
    statistics = resumed.statistics if resumed else action_statistics(source)
    spec = policy_spec(
        vocabulary, robot_tokens=source.robot.shape[1], horizon=source.action.shape[1]
    )
    device = torch.device(_device_name(recipe.device))
    policy = MODELS.get(recipe.model)(spec)
    assert isinstance(policy, Policy)
    standardise(policy.network, source)
    if recipe.init_weights:
        policy.load_state_dict(load_weights_file(Path(recipe.init_weights))[0])
    policy.to(device)
    if rank() == 0:
        save_policy_recipe(recipe, folder / RECIPE)
        described = RunDescription(
            spec=spec, vocabulary=vocabulary, statistics=statistics, shown=shown
        )
        save_description(folder, described)
    return PolicyRun(
        recipe=recipe,
        folder=folder,
        source=source,
        held_out=held_out,
        statistics=statistics,
        policy=policy,
        averaged=AveragedModel(
            policy, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay), use_buffers=True
        ),
        optimizer=torch.optim.AdamW(
            [
                {"params": [p for p in policy.parameters() if p.ndim > 1]},
                {"params": [p for p in policy.parameters() if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            fused=True,
        ),
        device=device,
    )


def _device_name(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def _train(run: PolicyRun, reporter: Reporter) -> RunState:
    checkpoint, state = run.folder / CHECKPOINT, RunState()
    if checkpoint.exists():
        state = load_checkpoint(checkpoint, modules=run.modules, optimizer=run.optimizer)
    while _progress(run.recipe, state) < 1:
        state, row = _round(run, state, reporter)
        if rank() == 0:
            row |= _evaluate(run)
            append_row(run.folder / CURVES, row)
            save_weights(run.folder / WEIGHTS, run.averaged_policy, class_names=())
            save_checkpoint(
                checkpoint,
                modules=run.modules,
                optimizer=run.optimizer,
                state=state,
                class_names=(),
            )
            reporter.on_round(row)
    return state


def _progress(recipe: PolicyRecipe, state: RunState) -> float:
    by_steps = state.step / recipe.steps if recipe.steps else 0.0
    by_time = state.trained_s / (60 * recipe.budget_minutes) if recipe.budget_minutes else 0.0
    return max(by_steps, by_time)


def _learning_rate(recipe: PolicyRecipe, step: int, part: float) -> float:
    """Linear warm-up by steps, then a cosine over the run."""
    cosine = LAST_LEARNING_RATE + (1 - LAST_LEARNING_RATE) * 0.5 * (1 + math.cos(math.pi * part))
    return recipe.learning_rate * min(1.0, (step + 1) / max(1, recipe.warmup_steps)) * cosine


def _round(
    run: PolicyRun, state: RunState, reporter: Reporter
) -> tuple[RunState, dict[str, float]]:
    """`round_steps` steps; returns the state after them and the means of the losses."""
    recipe, first, sums = run.recipe, state, dict[str, float]()
    started_s = perf_counter()
    batches = _batches(run, state.step)
    for _ in range(recipe.round_steps):
        part = min(1.0, _progress(recipe, state))
        for group in run.optimizer.param_groups:
            group["lr"] = _learning_rate(recipe, state.step, part)
        batch = next(batches).to(run.device)
        for name, value in _step(run, batch).items():
            sums[name] = sums.get(name, 0.0) + value
        trained_s = agreed(first.trained_s + perf_counter() - started_s, run.device)
        state = replace(state, step=state.step + 1, trained_s=trained_s)
        reporter.on_step(min(1.0, _progress(recipe, state)))
        if _progress(recipe, state) >= 1:
            break
    batches.close()
    steps, elapsed_s = state.step - first.step, state.trained_s - first.trained_s
    row = {
        "step": state.step,
        "minutes": state.trained_s / 60,
        "part": _progress(recipe, state),
        "samples_per_s": steps * recipe.batch_size / elapsed_s,
        "learning_rate": run.optimizer.param_groups[0]["lr"],
    }
    return state, row | {name: value / steps for name, value in sums.items()}


def _batches(run: PolicyRun, first_step: int) -> Generator[PolicyBatch, None, None]:
    """The batches from a step on, made ahead by threads; each depends on its step alone."""
    share, recipe = _draw_share(run), run.recipe

    def make(step: int) -> PolicyBatch:
        rng = np.random.default_rng((recipe.seed, step, rank()))
        rows = rng.choice(len(run.source), recipe.batch_size, p=share)
        return make_batch(run.source, rows, statistics=run.statistics, rng=rng, recipe=recipe)

    with ThreadPoolExecutor(recipe.loaders) as pool:
        ahead = deque(pool.submit(make, first_step + k) for k in range(2 * recipe.loaders))
        try:
            for step in itertools.count(first_step + len(ahead)):
                yield ahead.popleft().result()
                ahead.append(pool.submit(make, step))
        finally:
            pool.shutdown(cancel_futures=True)


def _draw_share(run: PolicyRun) -> np.ndarray:
    """How likely each sample is drawn."""
    weight = np.where(run.source.moves, 1.0, run.recipe.hold_weight)
    return weight / weight.sum()


def _step(run: PolicyRun, batch: PolicyBatch) -> dict[str, float]:
    run.policy.train()
    total, parts = policy_loss(_answer(run.policy, batch), batch)
    run.optimizer.zero_grad(set_to_none=True)
    total.backward()
    average_gradients(run.policy.parameters())
    norm = nn.utils.clip_grad_norm_(run.policy.parameters(), GRADIENT_NORM)
    if not torch.isfinite(norm):
        raise FloatingPointError(f"the gradient is {norm.item()}; losses {parts}")
    run.optimizer.step()
    run.averaged.update_parameters(run.policy)
    return {"total": total.item()} | {name: part.item() for name, part in parts.items()}


def _answer(policy: Policy, batch: PolicyBatch) -> dict[str, torch.Tensor]:
    """The network's answer, its action head led by the truth about what is meant."""
    return policy.network(
        policy.language(batch.tokens),
        batch.tokens > 0,
        batch.objects,
        batch.present,
        batch.visual,
        batch.has_visual,
        batch.robot,
        pointable=batch.pointers,
    )


@torch.no_grad()
def _evaluate(run: PolicyRun) -> dict[str, float]:
    """Figures of the averaged weights on held-out samples, evenly spread over the set."""
    if run.held_out is None:
        return {}
    policy = run.averaged_policy.eval()
    count = min(run.recipe.val_samples, len(run.held_out))
    rows = np.linspace(0, len(run.held_out) - 1, count).astype(int)
    rng = np.random.default_rng(run.recipe.seed)
    sums: dict[str, float] = {}
    for start in range(0, count, _VAL_BATCH):
        chosen = rows[start : start + _VAL_BATCH]
        batch = make_batch(run.held_out, chosen, statistics=run.statistics, rng=rng)
        batch = batch.to(run.device)
        for name, value in policy_figures(_answer(policy, batch), batch).items():
            sums[name] = sums.get(name, 0.0) + float(value)
    return mean_figures(sums)
