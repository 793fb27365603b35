"""`robot-vision data …`: check your own dataset before training on it."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.terminal import Screen, say

app = typer.Typer(no_args_is_help=True, help="Check datasets of labelled images.")

SHEET_FILE = "sample.png"


@app.callback()
def data() -> None:
    """Check datasets of labelled images."""


@app.command()
def check(
    folder: Annotated[
        str, typer.Argument(metavar="SET", help="folder of a set, or folder@part: parts@val")
    ],
    kind: Annotated[
        str, typer.Option(help="auto, coco, yolo, voc, folders or label_pngs")
    ] = "auto",
    out: Annotated[Path, typer.Option(help="folder for sample.png, created if needed")] = Path(),
    images: Annotated[int, typer.Option(min=0, help="images to read, evenly spaced; 0: all")] = 0,
) -> None:
    """List all faults of a dataset, worst first, and draw a sheet of samples.

    Exit status: 0 if there are none, 1 if there are any, 2 if the set cannot be read.
    """
    from robot_vision.training.data.opening.check import check_set
    from robot_vision.training.data.opening.sheet import draw_sheet, write_sheet

    checked = check_set(folder, kind, images=images)
    opened, screen = checked.opened, Screen()
    for finding in checked.findings:
        screen.print(str(finding), soft_wrap=True)
    sheet = out / SHEET_FILE
    write_sheet(sheet, draw_sheet(opened, checked.shown))
    found = f"{len(checked.findings)} kinds of faults" if checked.findings else "no faults"
    say(
        f"{folder} ({checked.kind}): {len(opened.images)} images, "
        f"{len(opened.class_names)} classes, {found}; samples in {sheet}"
    )
    raise typer.Exit(1 if checked.findings else 0)
