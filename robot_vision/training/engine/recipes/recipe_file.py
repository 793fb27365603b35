"""Recipes as files: read, overridden by dotted names, checked against task and model, saved."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError, UnknownNameError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.values import load_yaml
from robot_vision.core.registry import Registry
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_names import (
    Tree,
    dotted,
    nearest,
    place,
    tree_of,
    unknown_names,
)
from robot_vision.training.engine.task import TASKS


def load_recipe(path: Path, overrides: Mapping[str, object] | None = None) -> Recipe:
    """Read a recipe; `overrides` are dotted names, such as `run.steps`.

    Raises `ConfigError` if it is not a recipe: unknown tasks, models and names are reported with
    the nearest known one.
    """
    return recipe_of(load_yaml(path), overrides, what=str(path))


def changed(recipe: Recipe, overrides: Mapping[str, object]) -> Recipe:
    """The recipe with values replaced by dotted names; raises `ConfigError` as `load_recipe`."""
    return recipe_of(recipe.model_dump(), overrides)


def recipe_of(
    values: Mapping[str, Any],
    overrides: Mapping[str, object] | None = None,
    *,
    what: str = "the recipe",
) -> Recipe:
    """A recipe from nested values, its `options` validated by its task."""
    merged, overrides = dict(values), dict(overrides or {})
    for name in ("task", "model"):
        if name in overrides:
            merged[name] = overrides[name]
    tree = _tree(merged)
    for name, value in overrides.items():
        place(merged, name, value, tree)
    _refuse_unknown(merged, tree, what)
    task = _chosen(TASKS, "task", merged.get("task"), what)
    card = _chosen(MODELS, "model", merged.get("model"), what)
    if card.task != merged["task"]:
        raise ConfigError(
            f"{what}: model {card.name!r} is for the task {card.task!r}, not {merged['task']!r}"
        )
    try:
        options = task.options.model_validate(merged.get("options") or {})
    except ValidationError as error:
        raise ConfigError(f"{what}: {_explain(error, 'options.')}") from error
    try:
        # As in a file, without tuples, so that a recipe equals what is read back.
        spec = json.loads(json.dumps(merged.get("spec") or {}, default=str))
        recipe = Recipe.model_validate({**merged, "spec": spec, "options": options})
    except ValidationError as error:
        raise ConfigError(f"{what}: {_explain(error)}") from error
    try:
        type(card.spec).model_validate({**card.spec.model_dump(), **recipe.spec})
    except ValidationError as error:
        raise ConfigError(f"{what}: {_explain(error, 'spec.')}") from error
    return recipe


def save_recipe(recipe: Recipe, file: Path) -> None:
    """Write every choice, including defaults: the record of a run.

    Atomic: a run that resumes on a full disk keeps its record.
    """
    partial = file.with_suffix(".partial")
    try:
        partial.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _tree(values: Mapping[str, Any]) -> Tree:
    """The names that the recipe may use; those of all tasks and models if its own are unknown."""
    task, model = values.get("task"), values.get("model")
    tasks = [str(task)] if str(task) in TASKS else list(TASKS)
    models = [str(model)] if str(model) in MODELS else list(MODELS)
    tree = tree_of(Recipe)
    for name in tasks:
        tree["options"] = tree["options"] | tree_of(TASKS.get(name).options)
    for name in models:
        tree["spec"] = tree["spec"] | tree_of(type(MODELS.get(name).spec))
    return tree


def _refuse_unknown(values: Mapping[str, Any], tree: Tree, what: str) -> None:
    known = list(dotted(tree))
    problems = []
    for name in unknown_names(values, tree):
        meant = nearest(name, known)
        problems.append(f"{quoted(name)}" + (f" (did you mean {meant!r}?)" if meant else ""))
    if problems:
        raise ConfigError(f"{what} has unknown names: {', '.join(problems)}")


def _chosen(registry: Registry[Any], kind: str, name: object, what: str) -> Any:
    if not name:
        raise ConfigError(f"{what} names no {kind}; available: {', '.join(registry)}")
    try:
        return registry.get(str(name))
    except UnknownNameError as error:
        raise ConfigError(f"{what}: {error}") from error


def _explain(error: ValidationError, prefix: str = "") -> str:
    return "; ".join(
        f"{prefix}{'.'.join(map(str, e['loc']))} = {quoted(e['input'])}: {e['msg']}"
        for e in error.errors()
    )
