"""What groups of parameters are made of; the groups are in `config.py` and `*_config.py`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.foreign import quoted


class Params(BaseModel):
    """A group of parameters. Unknown names and values out of bounds are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)


def faults_of(error: ValidationError) -> str:
    """Each field that is wrong, with its value and what was expected."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'all of it'} = {quoted(e['input'])}: {e['msg']}"
        for e in error.errors()
    )
