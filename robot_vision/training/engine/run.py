"""What a training run consists of, and how it is put together from its recipe."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from robot_vision.model_store.store import find_bundle
from robot_vision.models.multitask.native import NativeModel, build_native
from robot_vision.models.weights import load_weights
from robot_vision.training.data.coco import load_coco_set
from robot_vision.training.engine.checkpoint import load_weights_file
from robot_vision.training.engine.distributed import rank
from robot_vision.training.engine.old_recipe import Recipe
from robot_vision.training.losses.native import MultiTaskLoss

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
BEST_WEIGHTS = "best.safetensors"
CURVES = "curves.csv"
RECIPE = "recipe.yaml"
BUNDLE_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a run consists of. `averaged` holds the weights that are evaluated and shipped."""

    recipe: Recipe
    folder: Path
    model: NativeModel
    averaged: AveragedModel
    criterion: MultiTaskLoss
    optimizer: torch.optim.Optimizer
    class_names: tuple[str, ...]
    device: torch.device

    @property
    def modules(self) -> dict[str, nn.Module]:
        return {"model": self.model, "averaged": self.averaged, "criterion": self.criterion}

    @property
    def averaged_model(self) -> NativeModel:
        module = self.averaged.module
        assert isinstance(module, NativeModel)
        return module


def build_run(recipe: Recipe, folder: Path) -> Run:
    """Fresh weights, or those of `init_weights` where they fit, and all that trains them."""
    torch.manual_seed(recipe.seed)
    source = load_coco_set(Path(recipe.train_set))
    device = _device(recipe.device)
    model = build_native(recipe.model, classes=len(source.class_names))
    if recipe.init_weights:
        _start_from(model, _weights_file(recipe.init_weights), source.class_names)
    model.to(device)
    criterion = MultiTaskLoss(
        model.spec,
        classes=len(source.class_names),
        colors=len(source.color_names),
        weights=recipe.losses,
    ).to(device)
    averaged = AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay), use_buffers=True
    )
    return Run(
        recipe=recipe,
        folder=folder,
        model=model,
        averaged=averaged,
        criterion=criterion,
        optimizer=_optimizer(recipe, model, criterion),
        class_names=source.class_names,
        device=device,
    )


def _optimizer(recipe: Recipe, model: nn.Module, criterion: nn.Module) -> torch.optim.Optimizer:
    """AdamW; no decay of biases, norms and balances, which are one-dimensional."""
    parameters = [*model.parameters(), *criterion.parameters()]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1]},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def _start_from(model: NativeModel, file: Path, class_names: tuple[str, ...]) -> None:
    """Weights of a file; the class head only where it is for the same classes."""
    tensors, classes = load_weights_file(file)
    if classes != class_names:
        tensors = {k: v for k, v in tensors.items() if ".classes." not in k}
    load_weights(model, tensors)


def _weights_file(name: str) -> Path:
    """A file of weights, or those of the bundle of that name."""
    return Path(name) if Path(name).is_file() else find_bundle(name).path / BUNDLE_WEIGHTS


def _device(name: str) -> torch.device:
    """The device of that name; each process on a GPU of its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device("cuda", rank()) if name == "cuda" else torch.device(name)
