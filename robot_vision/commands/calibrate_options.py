"""Options shared by several `calibrate` commands."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.overrides import parsed

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="a parameter from docs/calibration.md: name=value"),
]
BoardFile = Annotated[Path, typer.Option("--board", help="YAML written by `calibrate board`")]
Pictures = Annotated[
    Path, typer.Argument(metavar="PICTURES", help="folder of pictures, or a recording")
]
Rgb = Annotated[str, typer.Option("--rgb", help="topic of the colour images, for a recording")]
ViewFolder = Annotated[
    Path | None,
    typer.Option("--views", help="new folder for the selected pictures, for a recording"),
]
FrameId = Annotated[str, typer.Option("--frame-id", help="optical frame of the camera")]


def parsed_apart(
    settings: list[str] | None, names: Iterable[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Values of `--set` with these names, and the others; raises `ConfigError`."""
    others = parsed(settings or [])
    known = set(names)
    return {name: others.pop(name) for name in list(others) if name in known}, others
