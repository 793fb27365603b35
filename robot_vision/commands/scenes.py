"""`robot-vision scenes …`: training sets and recordings of procedural tabletops."""

from pathlib import Path
from typing import Annotated, cast

import typer

from robot_vision.core.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Generate RGB-D scenes with exact ground truth.")


@app.callback()
def scenes() -> None:
    """Generate RGB-D scenes with exact ground truth."""


Size = Annotated[str, typer.Option(help="width and height in pixels: 416x320")]


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the set; continued if it is there")],
    count: Annotated[int, typer.Option(min=1, help="frames")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[
        str, typer.Option(help="train; val and test show what train never does")
    ] = "train",
    size: Size = "416x320",
    processes: Annotated[int, typer.Option(min=0, help="0: one per core")] = 0,
) -> None:
    """Write a COCO set with colour, sensor depth, exact depth, masks and poses."""
    import os

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from robot_vision.simulation.generate import SetRecipe, generate_set
    from robot_vision.simulation.palette import SPLITS, Split

    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}; available: {', '.join(SPLITS)}")
    width_px, height_px = parse_size(size)
    recipe = SetRecipe(
        count=count, seed=seed, split=cast(Split, split), width_px=width_px, height_px=height_px
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"rendering {split}", total=count)
        total = generate_set(
            out,
            recipe,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done: progress.update(task, completed=done),
        )
    console.print(f"{total} frames in {out}/annotations.json")


def parse_size(size: str) -> tuple[int, int]:
    """Width and height of a text like 416x320; raises `ConfigError`."""
    try:
        width_px, height_px = (int(part) for part in size.lower().split("x"))
    except ValueError:
        raise ConfigError(f"size {size!r}: expected WIDTHxHEIGHT, like 416x320") from None
    if not (16 <= width_px <= 4096 and 16 <= height_px <= 4096):
        raise ConfigError(f"size {size!r}: expected 16 to 4096 pixels each way")
    return width_px, height_px
