"""The recipes in the package are recipes, and what is none is told of."""

from pathlib import Path

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.training.engine.old_recipe import load_recipe, save_recipe

FOLDER = Path(__file__).parents[2] / "config" / "recipes"
RECIPES = sorted(file for file in FOLDER.glob("*.yaml") if not file.stem.startswith("policy"))


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_recipes_of_the_package_are_accepted_and_kept(file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(file)
    assert recipe.steps or recipe.budget_minutes
    save_recipe(recipe, tmp_path / "kept.yaml")
    assert load_recipe(tmp_path / "kept.yaml") == recipe


def test_there_are_recipes() -> None:
    assert {"native_s", "native_s_continue", "fine_tune"} <= {file.stem for file in RECIPES}


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("seed: 3\nlosses: {depth: 0.5}\n")
    recipe = load_recipe(file, {"losses.depth": 0.25})
    assert recipe.seed == 3
    assert recipe.losses.depth == 0.25


@pytest.mark.parametrize(
    ("text", "named"),
    [("sede: 3", "sede"), ("seed: -1", "seed"), ("losses: {dept: 1}", "losses.dept")],
)
def test_what_is_no_recipe_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_recipe(file)
