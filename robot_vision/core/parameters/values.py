"""Values of parameters by dotted name: read from a file, listed, replaced, and what each needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import read_yaml
from robot_vision.core.parameters.params import Params, ParamsT, Uptake, faults_of


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises `ConfigError` naming the file and the fault."""
    try:
        data = read_yaml(Path(path))
    except ForeignFileError as error:
        raise ConfigError(str(error)) from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: expected a mapping of names to values, got {type(data).__name__}"
        )
    return data


def flatten(params: Params, prefix: str = "") -> dict[str, Any]:
    """Parameters by dotted name, as in ROS: `tracker.name`."""
    flat: dict[str, Any] = {}
    for name in type(params).model_fields:
        value = getattr(params, name)
        if isinstance(value, Params):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def uptakes(params: Params, prefix: str = "", of_group: Uptake | None = None) -> dict[str, Uptake]:
    """What a new value of each parameter needs, by dotted name."""
    of_group = type(params).uptake if type(params).uptake is not None else of_group
    found: dict[str, Uptake] = {}
    for name, field in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, Params):
            found.update(uptakes(value, f"{prefix}{name}.", of_group))
            continue
        extra = field.json_schema_extra
        own = extra.get("uptake") if isinstance(extra, dict) else None
        uptake = own if own is not None else of_group
        assert isinstance(uptake, Uptake), f"{prefix}{name} has no uptake, nor has its group"
        found[f"{prefix}{name}"] = uptake
    return found


def with_values(params: ParamsT, values: Mapping[str, Any]) -> ParamsT:
    """A copy of `params` with dotted names replaced, validated as a whole.

    Raises `ConfigError` naming each bad parameter, its value and what is expected.
    """
    known = flatten(params)
    nested = params.model_dump()
    for dotted, value in values.items():
        if dotted not in known:
            raise ConfigError(f"unknown parameter {dotted!r}; available: {', '.join(known)}")
        *groups, name = dotted.split(".")
        group = nested
        for key in groups:
            group = group[key]
        group[name] = value
    try:
        return type(params).model_validate(nested)
    except ValidationError as error:
        raise ConfigError(faults_of(error)) from error
