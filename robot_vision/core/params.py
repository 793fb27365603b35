"""What groups of parameters are made of; the groups are in `config.py` and `*_config.py`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """A group of parameters. Unknown names and values out of bounds are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def param(default: Any, description: str, *, unit: str = "", **bounds: Any) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **bounds)
