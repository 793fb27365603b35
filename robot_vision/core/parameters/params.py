"""Base of parameter groups; the groups are in `config.py` and `*_config.py`."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief


class Uptake(IntEnum):
    """What a running node does to apply a new value, from the least work to the most."""

    LIVE = 0
    """Applied between two frames, with the models that are loaded."""
    RELOAD_BESIDE_TRACKS = 1
    """Models are loaded again; tracks do not depend on them and continue."""
    RELOAD = 2
    """Models are loaded again, and tracking starts a new epoch."""
    CONFIGURE = 3
    """Refused while configured: applied by the next configure transition."""


class Params(BaseModel):
    """A group of parameters. Unknown names and values out of bounds are errors.

    `uptake` holds for every parameter of the group that has none of its own; None: as the group
    around it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    uptake: ClassVar[Uptake | None] = None


def param(
    default: Any,
    description: str,
    *,
    unit: str = "",
    uptake: Uptake | None = None,
    **bounds: Any,
) -> Any:
    """A parameter with its default, description, unit and pydantic bounds (`ge`, `le`, …).

    `uptake` is what a new value needs, None: as its group.
    """
    extra: dict[str, Any] = {"unit": unit}
    if uptake is not None:
        extra["uptake"] = uptake
    return Field(default, description=description, json_schema_extra=extra, **bounds)


def faults_of(error: ValidationError) -> str:
    """Each invalid field, with its value and what was expected."""
    places = ((".".join(map(str, e["loc"])) or "all of it", e) for e in error.errors())
    return "; ".join(f"{brief(at)} = {brief(repr(e['input']))}: {e['msg']}" for at, e in places)


ParamsT = TypeVar("ParamsT", bound=Params)


def with_options(spec: ParamsT, options: Mapping[str, Any], *, of: str) -> ParamsT:
    """A copy of `spec` with some values changed; `of` names their owner.

    Raises `ConfigError` with each invalid field and the available ones.
    """
    try:
        return type(spec).model_validate({**spec.model_dump(), **options})
    except ValidationError as error:
        fields = ", ".join(type(spec).model_fields) or "none"
        raise ConfigError(
            f"{of} does not accept these options: {faults_of(error)}; available: {fields}"
        ) from error
