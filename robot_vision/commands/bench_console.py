"""`robot-vision bench console` and `bench why`: the cost of the console per frame."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.json_file import JsonFile, write_json


def register(bench_app: typer.Typer) -> None:
    """Add `console` and `why` to the measurements."""
    bench_app.command()(console)
    bench_app.command()(why)


def console(
    model: Annotated[str, typer.Option(help="model bundle: a name in the store or a folder")] = (
        "native-s"
    ),
    rounds: Annotated[
        int, typer.Option(help="rounds of three blocks: none, idle, viewers", min=1)
    ] = 20,
    seconds: Annotated[float, typer.Option(help="seconds per block", min=2.5)] = 4.5,
    fps: Annotated[float, typer.Option(help="frames per second of the camera", min=1)] = 30.0,
    viewers: Annotated[int, typer.Option(help="clients of the stream", min=1)] = 2,
    viewer_fps: Annotated[
        float, typer.Option(help="frames per second of each client", min=0.1)
    ] = 10.0,
    width: Annotated[int, typer.Option(help="pixels", min=16)] = 640,
    height: Annotated[int, typer.Option(help="pixels", min=16)] = 480,
    out: JsonFile = Path("out/bench_console.json"),
) -> None:
    """The age of frames without a console, with nobody connected, and with viewers, in turn.

    Takes rounds × 3 × seconds, by default four and a half minutes.
    """
    from robot_vision.bench.nodes.console import bench_console
    from robot_vision.bench.stages import show
    from robot_vision.terminal import Screen

    result = bench_console(
        ros_args=["-p", f"model:={model}"],
        rounds=rounds,
        seconds=seconds,
        fps=fps,
        viewers=viewers,
        viewer_fps=viewer_fps,
        width_px=width,
        height_px=height,
    )
    screen = Screen()
    show(screen, result)
    write_json(out, result)


def why(
    model: Annotated[str, typer.Option(help="model bundle: a name in the store or a folder")] = (
        "native-s"
    ),
    way: Annotated[str, typer.Option(help="`explain ways` lists them")] = "hires_cam",
    rounds: Annotated[
        int, typer.Option(help="rounds of three blocks: none, idle, viewers", min=1)
    ] = 10,
    seconds: Annotated[float, typer.Option(help="seconds per block", min=2.5)] = 9.0,
    fps: Annotated[float, typer.Option(help="frames per second of the camera", min=1)] = 30.0,
    width: Annotated[int, typer.Option(help="pixels", min=16)] = 640,
    height: Annotated[int, typer.Option(help="pixels", min=16)] = 480,
    out: JsonFile = Path("out/bench_why.json"),
) -> None:
    """The age of frames while a client has frame after frame explained, against no client.

    Takes rounds × 3 × seconds, by default four and a half minutes.
    """
    from robot_vision.bench.nodes.console import bench_console
    from robot_vision.bench.stages import show
    from robot_vision.terminal import Screen

    result = bench_console(
        ros_args=["-p", f"model:={model}"],
        rounds=rounds,
        seconds=seconds,
        fps=fps,
        viewers=1,
        viewer_fps=8.0,
        width_px=width,
        height_px=height,
        why=way,
    )
    screen = Screen()
    show(screen, result)
    write_json(out, result)
