"""`--json PATH`: where figures go, the same in every command that measures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

JsonFile = Annotated[Path, typer.Option("--json", "--out", help="where the JSON goes")]
MaybeJsonFile = Annotated[Path | None, typer.Option("--json", help="where the figures go")]


def write_json(file: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures, where a file was asked for, and say so."""
    from robot_vision.terminal import Screen

    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        Screen().print(f"written: {file}")
