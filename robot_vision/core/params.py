"""Base of parameter groups; the groups are in `config.py` and `*_config.py`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief


class Params(BaseModel):
    """A group of parameters. Unknown names and out-of-range values are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)


def faults_of(error: ValidationError) -> str:
    """Each invalid field, with its value and what was expected."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'all of it'} = {brief(repr(e['input']))}: {e['msg']}"
        for e in error.errors()
    )


ParamsT = TypeVar("ParamsT", bound=Params)


def with_options(spec: ParamsT, options: Mapping[str, Any], *, of: str) -> ParamsT:
    """A copy of `params` with some values changed; `of` names their owner.

    Raises `ConfigError` with each invalid field and the available ones.
    """
    try:
        return type(spec).model_validate({**spec.model_dump(), **options})
    except ValidationError as error:
        fields = ", ".join(type(spec).model_fields) or "none"
        raise ConfigError(
            f"{of} does not accept these options: {faults_of(error)}; available: {fields}"
        ) from error
