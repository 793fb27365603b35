"""`name=value` on the command line: parameters of a recipe, fields of options."""

from typing import Annotated

import typer

Override = Annotated[
    list[str] | None, typer.Option("--set", help="a parameter of the recipe: name=value")
]


def parsed(pairs: list[str]) -> dict[str, object]:
    """Parse `name=value` pairs with YAML values; raises `ConfigError`."""
    from robot_vision.core.errors import ConfigError
    from robot_vision.core.files.foreign import parse_yaml

    values: dict[str, object] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ConfigError(f"--set {pair!r}: expected name=value")
        values[name] = parse_yaml(value, what=f"--set {name}")
    return values


def pairs(values: list[str] | None, what: str) -> dict[str, str]:
    """Texts of `name=value` options; raises `ConfigError`."""
    from robot_vision.core.errors import ConfigError

    found: dict[str, str] = {}
    for text in values or []:
        key, _, value = text.partition("=")
        if not key or not value:
            raise ConfigError(f"{what} {text!r}; expected name=value")
        found[key] = value
    return found
