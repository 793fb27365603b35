"""`robot-vision scenes …`: training sets and recordings of procedural tabletop scenes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from robot_vision.core.errors import ConfigError
from robot_vision.terminal import Screen, say, text_column

if TYPE_CHECKING:
    from robot_vision.simulation.content.palette import Split

app = typer.Typer(no_args_is_help=True, help="Generate RGB-D scenes with exact ground truth.")


@app.callback()
def scenes() -> None:
    """Generate RGB-D scenes with exact ground truth."""


Size = Annotated[str, typer.Option(help="width and height in pixels: 416x320")]


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder of the set; an existing one is continued")],
    count: Annotated[int, typer.Option(min=1, help="frames")] = 1000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[
        str,
        typer.Option(
            help="train, val or test; val and test contain appearances that train does not"
        ),
    ] = "train",
    size: Size = "416x320",
    most_objects: Annotated[
        int,
        typer.Option(
            min=0, help="objects per scene, without distractors; 0: up to 12, with distractors"
        ),
    ] = 0,
    processes: Annotated[int, typer.Option(min=0, help="0: one per core")] = 0,
) -> None:
    """Write a COCO set with colour, sensor depth, exact depth, masks and poses."""
    from robot_vision.simulation.writing.generate import SetRecipe, generate_set

    width_px, height_px = parse_size(size)
    recipe = SetRecipe(
        count=count,
        seed=seed,
        split=parse_split(split),
        width_px=width_px,
        height_px=height_px,
        most_objects=most_objects or None,
    )
    with progress_bar() as progress:
        task = progress.add_task(f"rendering {split}", total=count)
        total = generate_set(
            out,
            recipe,
            processes=processes or os.cpu_count() or 1,
            on_progress=lambda done: progress.update(task, completed=done),
        )
    say(f"{total} frames in {out}/annotations.json")


@app.command()
def record(
    out: Annotated[Path, typer.Option(help="folder of the new rosbag2 recording")],
    seconds: Annotated[float, typer.Option(min=0.1)] = 6.0,
    fps: Annotated[float, typer.Option(min=1, max=240)] = 30.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    split: Annotated[
        str, typer.Option(help="split whose textures, colours and lights are used")
    ] = "test",
    size: Size = "640x480",
    drop: Annotated[float, typer.Option(min=0, max=0.9, help="share of frames lost")] = 0.0,
    raw_depth: Annotated[
        bool, typer.Option(help="write depth as Image instead of compressedDepth")
    ] = False,
    true_depth: Annotated[
        bool, typer.Option(help="also write exact depth, on a separate topic")
    ] = False,
) -> None:
    """Record moving objects seen by a moving camera, with ids, poses and velocities."""
    from robot_vision.simulation.moving.sequence import SequenceRecipe
    from robot_vision.simulation.writing.bag_writer import BagOptions
    from robot_vision.simulation.writing.record import record_sequence

    recipe = SequenceRecipe(
        seconds=seconds,
        fps=fps,
        seed=seed,
        split=parse_split(split),
        size_px=parse_size(size),
        drop_share=drop,
    )
    with progress_bar() as progress:
        task = progress.add_task("recording", total=round(seconds * fps))
        recorded = record_sequence(
            out,
            recipe,
            BagOptions(raw_depth=raw_depth, true_depth=true_depth),
            on_progress=lambda done: progress.update(task, completed=done),
        )
    size_mb = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    say(f"{recorded} frames, {size_mb:.2f} MB in {out}")


@app.command()
def captions(
    folder: Annotated[Path, typer.Argument(metavar="SET", help="a set of `scenes generate`")],
) -> None:
    """Add captions to a generated set from its ground truth, without rendering again."""
    from robot_vision.simulation.writing.coco_writer import rewrite_captions
    from robot_vision.simulation.writing.generate import split_of

    written = rewrite_captions(folder, split=split_of(folder))
    say(f"{written} captions in {folder}/annotations.json")


@app.command()
def preview(
    folder: Annotated[Path, typer.Argument(help="a training set")],
    out: Annotated[Path, typer.Option(help="picture to write")] = Path("preview.png"),
    first: Annotated[int, typer.Option(min=0, help="index of the first frame")] = 0,
    frames: Annotated[int, typer.Option(min=1, max=200)] = 12,
) -> None:
    """Draw boxes, masks and depth of a training set on one sheet."""
    import cv2

    from robot_vision.training.data.opening.preview import contact_sheet

    sheet = contact_sheet(folder, first=first, frames=frames)
    if not cv2.imwrite(str(out), sheet):
        raise ConfigError(f"cannot write {out}")
    say(f"written: {out}")


def parse_split(split: str) -> "Split":
    """Parse the name of a split; raises `ConfigError`."""
    from robot_vision.simulation.content.palette import SPLITS

    for known in SPLITS:
        if split == known:
            return known
    raise ConfigError(f"unknown split {split!r}; available: {', '.join(SPLITS)}")


def parse_size(size: str) -> tuple[int, int]:
    """Parse width and height such as 416x320; raises `ConfigError`."""
    try:
        width_px, height_px = (int(part) for part in size.lower().split("x"))
    except ValueError:
        raise ConfigError(f"size {size!r}: expected WIDTHxHEIGHT, like 416x320") from None
    if not (16 <= width_px <= 4096 and 16 <= height_px <= 4096):
        raise ConfigError(f"size {size!r}: expected 16 to 4096 pixels each way")
    return width_px, height_px


def progress_bar() -> Progress:
    return Progress(
        text_column("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Screen(stderr=True),
    )
