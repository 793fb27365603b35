"""One training step by three engines: our loop, Lightning's Fabric and its Trainer.

Each engine trains the same model on the same batches, saves every `round_steps`, and goes on from
a checkpoint. `weigh_lightning.py` compares them.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from robot_vision.training.data.batches import BatchStream
from robot_vision.training.data.samples import Batch
from robot_vision.training.engine.checkpoint import MOMENTS, RunState
from robot_vision.training.engine.loop import (
    GRADIENT_NORM,
    learning_rate_factor,
    progress,
    train,
)
from robot_vision.training.engine.old_recipe import Recipe
from robot_vision.training.engine.run import CHECKPOINT, build_run

if importlib.util.find_spec("lightning") is None:
    sys.exit(
        "Lightning is not installed here; in an environment of its own: pip install lightning"
    )

import lightning
from lightning.pytorch.callbacks import Callback, WeightAveraging

OnStep = Callable[[int], None]  # called with the number of steps done
CUT = "WEIGH_CUT"  # in the environment: end after the first checkpoint, as by a power cut


class Parts:
    """What all engines share: the recipe's model, loss, optimiser and batches."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self.recipe, self.run = recipe, build_run(recipe, folder)
        self._stream = BatchStream(recipe, self.run.device)

    def batch(self, step: int) -> Batch:
        return self._stream.batch(step, self.recipe.resolutions[0])

    def set_rate(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        factor = learning_rate_factor(
            self.recipe, step, progress(self.recipe, RunState(step=step))
        )
        for group in optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor


def run_ours(recipe: Recipe, folder: Path, on_step: OnStep, *, resume: Path | None) -> None:
    """`resume` is the checkpoint in `folder`, which `train` finds by itself."""

    class Steps:
        done = recipe.round_steps if resume else 0

        def on_step(self, part: float) -> None:
            del part
            self.done += 1
            on_step(self.done)

        def on_round(self, row: dict[str, float]) -> None:
            del row
            _cut()

    train(recipe, folder, reporter=Steps())


def run_fabric(
    recipe: Recipe, folder: Path, on_step: OnStep, *, resume: Path | None, our_clip: bool = True
) -> None:
    """Our loop, with set-up, backward, clipping and checkpoints by Fabric."""
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    parts = Parts(recipe, folder)
    run = parts.run
    model = fabric.setup_module(run.model)
    criterion = fabric.setup_module(run.criterion)
    optimizer = fabric.setup_optimizers(run.optimizer)
    state: dict[str, Any] = {
        "model": model,
        "criterion": criterion,
        "averaged": run.averaged,
        "optimizer": optimizer,
        "step": 0,
    }
    if resume:
        fabric.load(resume, state)
    for step in range(state["step"], recipe.steps):
        parts.set_rate(run.optimizer, step)
        batch = parts.batch(step)
        model.train()
        total, _ = criterion(model(batch.rgb, batch.depth_m, batch.focal_px), batch)
        optimizer.zero_grad(set_to_none=True)
        fabric.backward(total)
        if our_clip:  # Fabric clips all of the optimiser's: the balances of the loss too
            nn.utils.clip_grad_norm_(run.model.parameters(), GRADIENT_NORM)
        else:
            fabric.clip_gradients(model, optimizer, max_norm=GRADIENT_NORM)
        optimizer.step()
        run.averaged.update_parameters(run.model)
        state["step"] = step + 1
        on_step(step + 1)
        if (step + 1) % recipe.round_steps == 0:
            fabric.save(folder / f"{step + 1}.ckpt", state)
            _cut()


def _of_fabric(saved: dict[str, Any]) -> dict[str, Tensor]:
    modules = ("model", "averaged", "criterion")
    tensors = {f"{m}.{name}": t for m in modules for name, t in saved[m].items()}
    return tensors | _moments(saved["optimizer"])


class StepModule(lightning.LightningModule):
    """Model and loss as a LightningModule; rate and clipping as our loop has them."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.model, self.criterion = parts.run.model, parts.run.criterion
        self._set_rate, self._optimizer = parts.set_rate, lambda: parts.run.optimizer

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self._optimizer()

    def transfer_batch_to_device(self, batch: Batch, *_: object) -> Batch:
        return batch  # is there already; and Lightning refuses frozen dataclasses

    def on_train_batch_start(self, *_: object) -> None:
        self._set_rate(self._optimizer(), self.trainer.global_step)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        out = self.model(batch.rgb, batch.depth_m, batch.focal_px)
        total, losses = self.criterion(out, batch)
        self.log_dict(losses, on_step=False, on_epoch=True, batch_size=len(batch.rgb))
        return total

    def configure_gradient_clipping(self, *_: object, **__: object) -> None:
        nn.utils.clip_grad_norm_(self.model.parameters(), GRADIENT_NORM)


class Loader:
    """The run's batches in order; a resumed run begins anew."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._next = parts, 0

    def __len__(self) -> int:
        return self._parts.recipe.steps

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self._next, len(self)):
            self._next = step + 1
            yield self._parts.batch(step)


class StatefulLoader(Loader):
    """Goes on at the batch after the checkpoint's last."""

    def state_dict(self) -> dict[str, int]:
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._next = state["next"]


class EveryStep(Callback):
    """Reports a step and saves after a round; stands behind `WeightAveraging`."""

    def __init__(self, recipe: Recipe, folder: Path, on_step: OnStep) -> None:
        self._recipe, self._folder, self._on_step = recipe, folder, on_step

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        self._on_step(trainer.global_step)
        if trainer.global_step % self._recipe.round_steps == 0:
            trainer.save_checkpoint(self._folder / f"{trainer.global_step}.ckpt")
            _cut()


def run_trainer(
    recipe: Recipe, folder: Path, on_step: OnStep, *, resume: Path | None, stateful: bool = True
) -> None:
    parts = Parts(recipe, folder)
    average = WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=recipe.steps,
        callbacks=[average, EveryStep(recipe, folder, on_step)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader = StatefulLoader(parts) if stateful else Loader(parts)
    trainer.fit(StepModule(parts), loader, ckpt_path=resume)


def _of_trainer(saved: dict[str, Any]) -> dict[str, Tensor]:
    averaged = saved["state_dict"].items()
    return (
        saved["current_model_state"]
        | {f"averaged.{name}": t for name, t in saved["averaging_state"].items()}
        | {f"averaged.module.{n[6:]}": t for n, t in averaged if n.startswith("model.")}
        | _moments(saved["optimizer_states"][0])
    )


def _moments(state: dict[str, Any]) -> dict[str, Tensor]:
    rows = state["state"].items()
    return {f"optimizer.{i}.{m}": row[m] for i, row in rows for m in MOMENTS}


def _cut() -> None:
    """End the process as a power cut would, where the caller asked for it."""
    if os.environ.get(CUT):
        os._exit(0)


RUNS: dict[str, Callable[..., None]] = {
    "ours": run_ours,
    "fabric": run_fabric,
    "fabric-its-clip": lambda *a, **k: run_fabric(*a, **k, our_clip=False),
    "trainer": run_trainer,
    "trainer-plain-loader": lambda *a, **k: run_trainer(*a, **k, stateful=False),
}


def tensors_of(engine: str, folder: Path, step: int) -> dict[str, Tensor]:
    """What an engine saved at a step, by the names of our checkpoints."""
    if engine == "ours":
        return load_file(folder / CHECKPOINT)
    saved = torch.load(folder / f"{step}.ckpt", weights_only=True)
    return _of_trainer(saved) if engine.startswith("trainer") else _of_fabric(saved)
