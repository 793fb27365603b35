"""Every recipe trains: three steps on tiny data, finite, and bit for bit the same resumed."""

import math
from pathlib import Path
from typing import Any

import pytest
from demonstrations_kit import write_episodes as write_demonstrations
from policy_episodes import write_episodes
from runs import Rows, assert_same, tiny_spec
from safetensors.torch import load_file

from robot_vision.models.registry import MODELS
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, load_recipe

FOLDER = Path(__file__).parents[2] / "config" / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
SMALL = {"run.steps": 3, "run.budget_minutes": 0, "run.batch_size": 4, "run.round_steps": 1}


@pytest.fixture(scope="module")
def data(shapes_set: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Options of each task that put tiny sets in the place of the recipe's; of models, more."""
    cache = tmp_path_factory.mktemp("cache")
    episodes = str(write_episodes(tmp_path_factory.mktemp("episodes"), count=2, seed=3))
    demonstrations = tmp_path_factory.mktemp("demonstrations") / "set"
    write_demonstrations(demonstrations, [3, 4])
    pictures = {
        "options.train_set": str(shapes_set),
        "options.val_set": str(shapes_set),
        "options.cache_dir": str(cache),
        "options.evaluation_images": 2,
        "options.resolutions": [{"width_px": 64, "height_px": 64}],
    }
    frames = {
        "options.train_sets": [str(shapes_set)],
        "options.labelled_set": str(shapes_set),
        "options.labelled_val_set": str(shapes_set),
        "options.evaluation_images": 8,
        "options.frame": {"width_px": 128, "height_px": 96},
        "options.crop": {},
        "options.cache_dir": str(cache),
    }
    return {
        "simclr": frames,
        "dino": frames,
        "mae": frames,
        "perception": pictures | {"options.augmentation.sought": []},
        "depth": pictures,
        "rgbd_temporal": pictures,
        "classification": pictures | {"options.evaluation_images": 8},
        "segmentation": pictures,
        "alignment": pictures | {"options.evaluation_images": 4},
        "grounding": pictures,
        "yolo_v1": pictures,
        "detr": pictures,
        "multi_task": pictures,
        "demonstrations": {
            "options.train_sets": [str(demonstrations)],
            "options.val_sets": [str(demonstrations)],
            "options.meaning": "",
            "options.cache_dir": str(cache),
            "options.val_decisions": 4,
            "options.loaders": 1,
            "options.observation": {
                "cameras": [{"name": "front", "width_px": 64, "height_px": 32, "has_depth": True}]
            },
        },
        "vlm-policy": {
            "options.observation": {
                "cameras": [{"name": "front", "width_px": 32, "height_px": 32}],
                "words": "none",
            }
        },
        "policy": {
            "options.train_sets": [episodes],
            "options.val_sets": [episodes],
            "options.val_samples": 8,
            "options.loaders": 1,
        },
    }


@pytest.fixture(scope="module")
def teacher(data: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny classifier of the tiny data, in the place of a recipe's teacher."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    train(
        small(load_recipe(FOLDER / "classification/simple-cnn.yaml"), data), run, reporter=Rows()
    )
    return str(run)


def small(recipe: Recipe, data: dict[str, dict[str, Any]]) -> Recipe:
    """The recipe on tiny data; a tiny model, unless weights are given that it must fit."""
    if recipe.task not in data:
        pytest.fail(f"no tiny data for the task {recipe.task!r}: add them to this test")
    spec = {} if recipe.run.init_weights else {"spec": tiny_spec(recipe.model)}
    return changed(recipe, SMALL | data[recipe.task] | data.get(recipe.model, {}) | spec)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_it_trains_and_resumes(
    file: Path, data: dict[str, dict[str, Any]], teacher: str, tmp_path: Path
) -> None:
    recipe = small(load_recipe(file), data)
    if "distill" in type(recipe.options).model_fields and recipe.options.distill.teacher:
        recipe = changed(recipe, {"options.distill.teacher": teacher})
    whole = Rows()
    train(recipe, tmp_path / "whole", reporter=whole)
    assert [row["step"] for row in whole.rows] == [1, 2, 3]
    assert all(math.isfinite(row["total"]) for row in whole.rows)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(recipe, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("whole", "cut")))


def test_every_model_has_a_recipe() -> None:
    assert {load_recipe(file).model for file in RECIPES} == set(MODELS)
