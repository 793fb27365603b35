"""The recipes of the package are recipes; what is none is named, with what was meant."""

from pathlib import Path
from typing import Any

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Size
from robot_vision.training.data.samples.batches import Resolution, at_one_size
from robot_vision.training.engine.recipes.recipe_file import (
    changed,
    load_recipe,
    recipe_of,
    save_recipe,
)
from robot_vision.training.tasks.perception import PerceptionOptions

FOLDER = Path(__file__).parents[2] / "config" / "recipes"
RECIPES = sorted(FOLDER.rglob("*.yaml"))
PERCEPTION = {"task": "perception", "model": "native-s"}


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_recipes_of_the_package_are_accepted_and_kept(file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(file)
    assert recipe.run.steps or recipe.run.budget_minutes
    assert recipe.task == file.parent.name
    save_recipe(recipe, tmp_path / "kept.yaml")
    assert load_recipe(tmp_path / "kept.yaml") == recipe


def test_there_are_the_recipes_that_the_documents_name() -> None:
    found = {str(file.relative_to(FOLDER)) for file in RECIPES}
    assert {
        "perception/native-s.yaml",
        "perception/native-s-continue.yaml",
        "perception/native-s-continue-cpu.yaml",
        "perception/fine-tune.yaml",
        "policy/policy-s.yaml",
    } <= found


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "task: perception\nmodel: native-s\nrun: {seed: 3}\noptions: {losses: {depth: 0.5}}\n"
    )
    recipe = load_recipe(
        file,
        {
            "options.losses.depth": 0.25,
            "run.steps": 7,
            "optimizer.rates.encoder.*": 0.1,
            "options.resolutions": [{"width_px": 64, "height_px": 64}],
        },
    )
    assert (recipe.run.seed, recipe.run.steps) == (3, 7)
    assert isinstance(recipe.options, PerceptionOptions)
    assert recipe.options.losses.depth == 0.25
    assert recipe.options.resolutions == [Resolution(width_px=64, height_px=64)]
    assert recipe.optimizer.rates == {"encoder.*": 0.1}
    assert changed(recipe, {"run.seed": 4}).run.seed == 4


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"run": {"sede": 3}}, r"'run\.sede' \(did you mean 'run\.seed'"),
        ({"batch_size": 3}, r"'batch_size' \(did you mean 'run\.batch_size'"),
        ({"learning_rate": 1}, r"did you mean 'optimizer\.learning_rate'"),
        ({"train_set": "x"}, r"did you mean 'options\.train_set'"),
        ({"options": {"losses": {"dept": 1}}}, r"did you mean 'options\.losses\.depth'"),
        ({"options": {"resolutions": [{"widht_px": 64}]}}, r"resolutions\.width_px"),
        ({"spec": {"nek": 3}}, r"'spec\.nek' \(did you mean 'spec\.neck'"),
        ({"spec": {"neck": 0}}, r"spec\.neck = '0'.*greater than or equal to 1"),
        ({"run": {"seed": -1}}, r"run\.seed = '-1'.*greater than or equal to 0"),
        ({"options": {"evaluation_images": 0}}, r"options\.evaluation_images = '0'"),
        ({"task": "percepton"}, "unknown task 'percepton'.*did you mean 'perception'"),
        ({"model": "native-x"}, "unknown model 'native-x'.*did you mean 'native-"),
        ({"model": "policy-s"}, "model 'policy-s' is for the task 'policy', not 'perception'"),
        ({"model": [1]}, "unknown model"),
        ({"spec": 5}, "spec = '5'.*valid dictionary"),
        ({"run": {"seed": 10**12}}, r"run\.seed = '1000000000000'.*less than or equal to"),
        ({"task": ""}, "names no task; available: .*perception"),
    ],
)
def test_input_that_is_not_a_recipe_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        recipe_of(PERCEPTION | values)


def test_a_recipe_of_before_is_answered_with_the_new_names(tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text("model: native-s\nbatch_size: 8\naugmentation: {hue: 0.5}\n")
    with pytest.raises(ConfigError, match=r"run\.batch_size.*options\.augmentation") as error:
        load_recipe(file)
    assert str(file) in str(error.value)


def test_a_size_that_no_picture_can_have_is_named() -> None:
    with pytest.raises(ConfigError, match=r"size 100x96: expected .*multiples of 32"):
        at_one_size(recipe_of(PERCEPTION), Size(width_px=100, height_px=96))


def test_names_do_not_lead_into_lists() -> None:
    with pytest.raises(ConfigError, match="whose entries no name can reach"):
        recipe_of(
            PERCEPTION | {"options": {"resolutions": [{}]}}, {"options.resolutions.0.until": 0.5}
        )
