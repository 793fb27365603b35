"""`robot-vision demo`: see the service work, without robot, camera, GPU or a ROS installation."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `demo` to the command line."""
    app.command()(demo)


def demo(
    bag: Annotated[Path | None, typer.Option(help="RGB-D recording; default: the shipped")] = None,
    model: Annotated[str, typer.Option(help="model bundle; default: the shipped one")] = "",
    seconds: Annotated[float, typer.Option(help="how long to play", min=1)] = 12.0,
    out: Annotated[Path, typer.Option(help="folder of the video and the plot")] = Path("out/demo"),
) -> None:
    """Play a recording over real ROS 2 topics into the node, and show what it sees.

    Writes a video with the objects drawn in and a plot of the ages of the results.
    """
    from rich.console import Console

    from robot_vision.demo.show import Demo, show

    show(Demo(recording=bag, model=model, seconds=seconds, out=out), Console())
