"""Options that several commands of `calibrate` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from robot_vision.commands.overrides import parsed

if TYPE_CHECKING:
    from robot_vision.core.params import Params

FirstT = TypeVar("FirstT", bound="Params")
SecondT = TypeVar("SecondT", bound="Params")

Settings = Annotated[
    list[str] | None, typer.Option("--set", help="a parameter of docs/calibration.md: name=value")
]
BoardFile = Annotated[Path, typer.Option("--board", help="YAML that `calibrate board` wrote")]
Pictures = Annotated[
    Path, typer.Argument(metavar="PICTURES", help="folder of pictures, or a recording")
]
Rgb = Annotated[str, typer.Option("--rgb", help="of a recording: topic of the colour images")]
ViewFolder = Annotated[
    Path | None,
    typer.Option("--views", help="of a recording: new folder for the pictures that are taken"),
]
FrameId = Annotated[str, typer.Option("--frame-id", help="optical frame of the camera")]


def two_groups(
    settings: list[str] | None, first: FirstT, second: SecondT
) -> tuple[FirstT, SecondT]:
    """`--set` for two groups of parameters that share no name; raises `ConfigError`."""
    from robot_vision.core.config import with_values

    values = parsed(settings or [])
    known = type(first).model_fields
    of_first = {name: values.pop(name) for name in list(values) if name in known}
    return with_values(first, of_first), with_values(second, values)
