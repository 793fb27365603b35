"""Reads a training run's folder for export."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Card, Graph, Serving, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import Weights, load_exactly, mean_of, read_weights, spec_of
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import RECIPE
from robot_vision.training.engine.task import TASKS, HeldOut

# Of a graph without a picture input.
_NO_SIZE = Size(width_px=0, height_px=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained model ready for export, and the data to verify it with.

    `metric` is the one by which its task selects weights, or empty.
    """

    recipe: Recipe
    card: Card[Any]
    serving: Serving[Any]
    weights: Weights
    graphs: tuple[Graph, ...]
    held_out: HeldOut
    metric: str
    size: Size


def open_run(
    run: Path,
    *,
    weights: str,
    averaged_with: Path | None = None,
    data: Path | None = None,
    size: Size | None = None,
) -> Trained:
    """The model of a run's file of weights and its held-out data; see `ExportOptions`.

    Raises `ConfigError` if the run, its weights or the options do not fit.
    """
    recipe = recipe_of(run)
    loaded = read_weights(run / weights)
    if averaged_with:
        loaded = mean_of(loaded, read_weights(averaged_with))
    card = MODELS.get(loaded.model or recipe.model)
    if card.serving is None:
        raise ConfigError(
            f"model {card.name!r} is not served: its card names no graph. Export a model that "
            "begins from its weights (`run.init_weights` of a recipe)"
        )
    task = TASKS.get(recipe.task)
    if size:
        recipe = task.resized(recipe, size)
    held_out = task.held_out(recipe, loaded.travels, data)
    if card.serving.image and held_out.size is None:
        raise ConfigError(f"the held-out data of task {recipe.task!r} have no size of pictures")
    spec = spec_of(loaded, card, recipe.spec)
    model = card.build(spec)
    load_exactly(model, loaded, name=card.name)
    shown = held_out.size or _NO_SIZE
    return Trained(
        recipe=recipe,
        card=card,
        serving=card.serving,
        weights=replace(loaded, model=card.name, spec=spec.model_dump(mode="json")),
        graphs=card.serving.graphs(model, spec, shown),
        held_out=held_out,
        metric=task.metric,
        size=shown,
    )


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run; raises `ConfigError` if the folder holds none that is valid."""
    file = run / RECIPE
    if not file.is_file():
        raise ConfigError(f"{run} is not a run of `robot-vision train`: it has no {RECIPE}")
    return load_recipe(file)
