"""What groups of parameters are made of; the groups are in `config.py` and `*_config.py`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief


class Params(BaseModel):
    """A group of parameters. Unknown names and values out of bounds are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)


def faults_of(error: ValidationError) -> str:
    """Each field that is wrong, with its value and what was expected."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'all of it'} = {brief(repr(e['input']))}: {e['msg']}"
        for e in error.errors()
    )


ParamsT = TypeVar("ParamsT", bound=Params)


def with_options(spec: ParamsT, options: Mapping[str, Any], *, of: str) -> ParamsT:
    """The parameters `of` something, some of them changed.

    Raises `ConfigError` with each field that is wrong and those that there are.
    """
    try:
        return type(spec).model_validate({**spec.model_dump(), **options})
    except ValidationError as error:
        fields = ", ".join(type(spec).model_fields) or "none"
        raise ConfigError(
            f"{of} does not take these options: {faults_of(error)}; it has {fields}"
        ) from error
