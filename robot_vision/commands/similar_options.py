"""Options shared by the `similar` commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from robot_vision.replay.reading.bag import BagOptions

Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="folder of the index")]
Sources = Annotated[
    list[Path], typer.Argument(help="folders of pictures, videos, recordings, datasets")
]
Sheet = Annotated[Path | None, typer.Option(help="JPEG to write, for viewing")]
Camera = Annotated[str, typer.Option(help="camera of a dataset; default: the only one")]
Topic = Annotated[
    str, typer.Option(help="topic of colour images in a recording; default: found by type")
]
Moved = Annotated[str, typer.Option("--model", help="the index's bundle, if it was moved")]
Every = Annotated[int, typer.Option(help="use every n-th picture", min=1)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or tensorrt")]
Threads = Annotated[int, typer.Option(help="threads of the model on the CPU", min=1)]


def bag_options(camera: str, rgb_topic: str) -> "BagOptions":
    """How pictures of recordings and datasets are found; empty names: the usual ones."""
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.replay.reading.discovery import Topics
    from robot_vision.replay.reading.episodes.options import EpisodeOptions

    return BagOptions(topics=Topics(rgb=rgb_topic), episodes=EpisodeOptions(camera=camera))
