"""`--json PATH`: the output file of all measuring commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

JsonFile = Annotated[Path, typer.Option("--json", "--out", help="JSON file to write")]
MaybeJsonFile = Annotated[Path | None, typer.Option("--json", help="JSON file for the figures")]


def write_json(file: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures if a file is given, and report it."""
    from robot_vision.core.files.figures import write_figures
    from robot_vision.terminal import Screen

    if file is not None:
        write_figures(file, figures)
        Screen().print(f"written: {file}")
