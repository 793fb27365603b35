"""`--set name=value`: set a recipe parameter on the command line."""

from typing import Annotated

import typer

Override = Annotated[
    list[str] | None, typer.Option("--set", help="a parameter of the recipe: name=value")
]


def parsed(pairs: list[str]) -> dict[str, object]:
    """Parse `name=value` pairs with YAML values; raises `ConfigError`."""
    from robot_vision.core.errors import ConfigError
    from robot_vision.core.foreign import parse_yaml

    values: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ConfigError(f"--set {pair!r}: expected name=value")
        values[name] = parse_yaml(value, what=f"--set {name}")
    return values
