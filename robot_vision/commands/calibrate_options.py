"""Options that several commands of `calibrate` share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.overrides import parsed

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


def parsed_apart(
    settings: list[str] | None, names: Iterable[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Values of `--set` of these names, and the others; raises `ConfigError`."""
    others = parsed(settings or [])
    known = set(names)
    return {name: others.pop(name) for name in list(others) if name in known}, others
