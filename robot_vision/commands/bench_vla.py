"""`robot-vision bench vla`: the whole loop, from image to command."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.json_file import JsonFile, write_json


def register(app: typer.Typer) -> None:
    """Add `vla` to the benchmarks."""
    app.command()(vla)


def vla(
    policy: Annotated[str, typer.Option(help="policy bundle: a name in the store or a folder")] = (
        "policy-s"
    ),
    seconds: Annotated[float, typer.Option(help="time measured", min=1)] = 60.0,
    camera_hz: Annotated[
        float, typer.Option(help="frame rate of the camera", min=1, max=60)
    ] = 10.0,
    out: JsonFile = Path("out/bench_vla.json"),
) -> None:
    """Simulated robot, perception and policy over real DDS: camera stamp to command.

    Exit status 1 if a target is missed.
    """
    from robot_vision.bench.nodes.vla import bench_vla
    from robot_vision.bench.stages import show
    from robot_vision.terminal import Screen

    console = Screen()
    result = bench_vla(policy=policy, seconds=seconds, camera_hz=camera_hz)
    show(console, result)
    write_json(out, result)
    raise typer.Exit(0 if result["passed"] else 1)
