"""What groups of parameters are made of; the groups are in `config.py` and `*_config.py`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError


class Params(BaseModel):
    """A group of parameters. Unknown names and values out of bounds are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)


ParamsT = TypeVar("ParamsT", bound=Params)


def with_options(spec: ParamsT, options: Mapping[str, Any], *, of: str) -> ParamsT:
    """The parameters `of` something, some of them changed.

    Raises `ConfigError` with each field that is wrong and those that there are.
    """
    try:
        return type(spec).model_validate({**spec.model_dump(), **options})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'together'} = {e['input']!r}: {e['msg']}"
            for e in error.errors()
        )
        fields = ", ".join(type(spec).model_fields) or "none"
        raise ConfigError(
            f"{of} does not take these options: {faults}; it has {fields}"
        ) from error
