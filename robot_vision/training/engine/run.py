"""The parts of a training run, assembled from its recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params
from robot_vision.model_store.policies import POLICY_FILE, find_policy
from robot_vision.model_store.store import find_bundle, stored_folders
from robot_vision.models.card import Card
from robot_vision.models.convert import tensors_for_model
from robot_vision.models.narrow import narrow
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import load_weights, read_weights
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import device_of, process_count
from robot_vision.training.engine.stepping.eight_bits import (
    RANGES,
    Ranges,
    find_layers,
    play_eight_bits,
)
from robot_vision.training.engine.stepping.precision import Precision, choose_precision
from robot_vision.training.engine.stepping.rates import (
    build_optimizer,
    freeze,
    frozen_norms,
    named_parameters,
    rate_factors,
)
from robot_vision.training.engine.stepping.recompute import recompute_blocks
from robot_vision.training.engine.stepping.zeros import Zeros
from robot_vision.training.engine.task import TASKS, Task

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
BEST_WEIGHTS = "best.safetensors"
LAST_WEIGHTS = "last.safetensors"
CURVES = "curves.csv"
CURVES_PICTURE = "curves.png"
MEMORY = "memory.json"
RECIPE = "recipe.yaml"
BUNDLE_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """The parts of a run. `averaged` holds the weights that are evaluated and shipped.

    `beside` are the task's own modules, `frozen_norms` stay in evaluation mode, `notes`
    are for the user before it starts. `pruned`: its layers are narrower than its spec
    says; `ranges` are those of layers in simulated eight bits, `zeros` are weights that stay 0.
    """

    recipe: Recipe
    task: Task[Any]
    card: Card[Any]
    spec: Params
    model: nn.Module
    averaged: AveragedModel
    beside: dict[str, nn.Module]
    frozen_norms: list[nn.Module]
    optimizer: torch.optim.Optimizer
    precision: Precision
    device: torch.device
    pruned: bool = False
    ranges: Ranges | None = None
    zeros: Zeros | None = None
    notes: tuple[str, ...] = ()

    @property
    def modules(self) -> dict[str, nn.Module]:
        """Everything in a checkpoint, by name."""
        ranges = {"eight_bits": self.ranges} if self.ranges else {}
        return {"model": self.model, "averaged": self.averaged, **self.beside, **ranges}

    def travels(self) -> dict[str, Any]:
        """Metadata stored with the weights: the task's, and eight-bit ranges."""
        return self.task.travels() | ({RANGES: self.ranges.travels()} if self.ranges else {})


def build_run(recipe: Recipe) -> Run:
    """Fresh weights, or those of `init_weights` where they fit, and everything that trains them.

    Raises `ConfigError` if data, weights, processes or device do not fit the recipe.
    """
    _check_shares(recipe)
    device = device_of(recipe.run.device)
    precision = choose_precision(recipe.run.precision, device)
    task = TASKS.get(recipe.task)(recipe, device)
    card = MODELS.get(recipe.model)
    spec = _spec(recipe, card, task)
    # Seeded here: opening data may draw numbers, and weights must not depend on it.
    torch.manual_seed(recipe.run.seed)
    model = card.build(spec)
    task.prepare(model)
    begins_from = recipe.run.init_weights
    begun = _begin_from(begins_from, model, card, spec, task) if begins_from else _Begun()
    # Pictures are channels-last; weights in the same layout make a step faster.
    convert_conv2d_weight_memory_format(model.to(device), torch.channels_last)
    beside = {name: module.to(device) for name, module in task.modules(model).items()}
    averaged = AveragedModel(
        model, multi_avg_fn=get_ema_multi_avg_fn(recipe.run.ema_decay), use_buffers=True
    )
    task.follow(averaged.module)
    parameters = named_parameters(model, beside)
    factors = rate_factors(list(parameters), recipe.optimizer.rates)
    freeze(parameters, factors)
    ranges = _in_eight_bits(recipe, model, averaged.module, device)
    if recipe.run.recompute:  # after the average was copied: that one is never trained
        recompute_blocks(model)
    return Run(
        recipe=recipe,
        task=task,
        card=card,
        spec=spec,
        model=model,
        averaged=averaged,
        beside=beside,
        frozen_norms=frozen_norms(model),
        optimizer=build_optimizer(recipe.optimizer, parameters, factors),
        precision=precision,
        device=device,
        pruned=begun.pruned,
        ranges=ranges,
        zeros=Zeros(parameters.values()) if recipe.run.keep_zeros else None,
        notes=(*task.notes(), *begun.notes),
    )


def _in_eight_bits(
    recipe: Recipe, model: nn.Module, averaged: nn.Module, device: torch.device
) -> Ranges | None:
    """The averaged weights also use them: they are evaluated as they will be served."""
    if not recipe.run.eight_bits:
        return None
    ranges = Ranges(find_layers(model, recipe.run.eight_bits)).to(device)
    for each in (model, averaged):
        play_eight_bits(each, ranges)
    return ranges


def _check_shares(recipe: Recipe) -> None:
    parts = process_count() * recipe.run.accumulate
    if recipe.run.batch_size % parts:
        raise ConfigError(
            f"run.batch_size = {recipe.run.batch_size}: expected a multiple of {parts}, for "
            f"{process_count()} processes and {recipe.run.accumulate} parts of a step in each"
        )


def _spec(recipe: Recipe, card: Card[Any], task: Task[Any]) -> Params:
    """The card's spec with the recipe's changes and the data's values."""
    found = task.spec_values()
    for name in found.keys() & recipe.spec.keys():
        if recipe.spec[name] != found[name]:
            raise ConfigError(
                f"spec.{name} = {recipe.spec[name]!r}, but the data have {found[name]!r}: remove "
                "it from the recipe"
            )
    try:
        return type(card.spec).model_validate({**card.spec.model_dump(), **recipe.spec, **found})
    except ValidationError as error:
        raise ConfigError(f"the data do not fit the model {card.name!r}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Begun:
    notes: tuple[str, ...] = ()
    pruned: bool = False


def _begin_from(
    name: str, model: nn.Module, card: Card[Any], spec: Params, task: Task[Any]
) -> _Begun:
    """Load what fits of a file, a run or a bundle; returns notes on what did not.

    A file of only an encoder, or a bundle that has one, initialises the encoder of a model with
    one. The model becomes as narrow as a pruned one that it starts from.
    """
    weights = read_weights(weights_file(name))
    if weights.pruned and weights.model != card.name:
        raise ConfigError(
            f"run.init_weights = {name!r} is a pruned {weights.model!r}, the recipe's model is "
            f"{card.name!r}: only a run of the same model can begin from it"
        )
    tensors = task.initial_weights(tensors_for_model(spec, weights), weights.travels)
    if weights.pruned:
        narrow(model, weights.tensors, fresh=frozenset(weights.tensors.keys() - tensors.keys()))
    fit = load_weights(model, tensors)
    if len(fit.fresh) == len(model.state_dict()):
        raise ConfigError(
            f"run.init_weights = {name!r} has no layer of this model"
            + (f": it holds {weights.model!r}" if weights.model else "")
        )
    problems = str(fit)
    notes = (f"layers that {name} does not have start fresh; {problems}",) if problems else ()
    return _Begun(notes=notes, pruned=weights.pruned)


def weights_file(name: str) -> Path:
    """Weights from a file, a run's folder, or the bundle of that name."""
    if Path(name).is_file():
        return Path(name)
    if (Path(name) / RECIPE).is_file():
        return Path(name) / WEIGHTS
    if name in stored_folders(POLICY_FILE) or (Path(name) / POLICY_FILE).is_file():
        policy = find_policy(name)
        return policy.path / policy.manifest.weights_file
    return find_bundle(name).path / BUNDLE_WEIGHTS
