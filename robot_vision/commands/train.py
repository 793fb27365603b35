"""`robot-vision train|evaluate|export`: from a recipe to a bundle of the model store."""

from pathlib import Path
from typing import Annotated

import typer

Override = Annotated[
    list[str] | None, typer.Option("--set", help="a parameter of the recipe: name=value")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)


def train(
    recipe: Annotated[Path, typer.Argument(help="YAML recipe, as in config/recipes")],
    out: Annotated[Path, typer.Option(help="folder of the run; continued if it is there")],
    overrides: Override = None,
) -> None:
    """Train a native model, or go on where the run was stopped."""
    from robot_vision.training.recipe import load_recipe
    from robot_vision.training.train import train as run_training

    run_training(load_recipe(recipe, parse_overrides(overrides or [])), out, on_round=_print_row)


def parse_overrides(pairs: list[str]) -> dict[str, object]:
    """`name=value` pairs, values as in YAML; raises `ConfigError`."""
    import yaml

    from robot_vision.core.errors import ConfigError

    values: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ConfigError(f"--set {pair!r}: expected name=value")
        values[name] = yaml.safe_load(value)
    return values


def _print_row(row: dict[str, float]) -> None:
    typer.echo("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
