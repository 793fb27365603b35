"""Weights between two steps: a folder in the training engine's layout."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params
from robot_vision.models.card import Card
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import (
    Weights,
    load_exactly,
    read_weights,
    spec_of,
    write_weights,
)
from robot_vision.training.engine.curves import append_row
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import load_recipe, save_recipe
from robot_vision.training.engine.run import CURVES, RECIPE, WEIGHTS


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """A model with the weights of a folder, in evaluation mode."""

    card: Card[Any]
    spec: Params
    model: nn.Module
    weights: Weights
    recipe: Recipe

    def example(self) -> tuple[Any, ...]:
        """Example inputs of the model: two samples of the card's example."""
        return self.card.arguments(self.card.example(self.spec, 2))


def build(folder: Path) -> Built:
    """Raises `ConfigError` if the folder's weights do not belong to a registered model."""
    recipe, weights = load_recipe(folder / RECIPE), read_weights(folder / WEIGHTS)
    card = MODELS.get(weights.model or recipe.model)
    spec = spec_of(weights, card, recipe.spec)
    with torch.random.fork_rng(devices=[]):
        model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    return Built(card=card, spec=spec, model=model.eval(), weights=weights, recipe=recipe)


def write(
    folder: Path, built: Built, tensors: dict[str, Tensor], recipe: Recipe, *, pruned: bool
) -> None:
    """Write a run's folder without training."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = replace(
        built.weights,
        tensors=tensors,
        model=built.card.name,
        spec=built.spec.model_dump(mode="json"),
        pruned=pruned,
    )
    save_recipe(recipe, folder / RECIPE)
    (folder / CURVES).unlink(missing_ok=True)
    append_row(folder / CURVES, {"step": 0, "minutes": 0})
    write_weights(folder / WEIGHTS, weights)


def begin(file: Path, recipe: Recipe, folder: Path) -> None:
    """A plan's first folder, from a file of weights.

    Raises `ConfigError` if the weights are not those of the recipe's model.
    """
    weights = read_weights(file)
    if weights.model and weights.model != recipe.model:
        raise ConfigError(
            f"{file} holds weights of {weights.model!r}, the recipe's model is {recipe.model!r}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, folder / RECIPE)
    write_weights(folder / WEIGHTS, weights)
    built = build(folder)
    write(folder, built, weights.tensors, recipe, pruned=weights.pruned)
