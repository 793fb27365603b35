"""`robot-vision bench self-filter`: the robot in its own camera image."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.json_file import JsonFile, write_json


def register(app: typer.Typer) -> None:
    """Add `self-filter` to the benchmarks."""
    app.command("self-filter")(self_filter)


def self_filter(
    model: Annotated[str, typer.Option(help="model bundle: a name in the store or a folder")] = (
        "native-s"
    ),
    frames: Annotated[int, typer.Option(help="views timed", min=1)] = 300,
    episodes: Annotated[
        int, typer.Option(help="simulated episodes with and without the filter", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option(help="seed of the scenes", min=0)] = 0,
    processes: Annotated[int, typer.Option(help="episodes run in parallel", min=1)] = 1,
    out: JsonFile = Path("out/bench_self_filter.json"),
) -> None:
    """Draw the simulated arm into its image; tracks on the arm and recall of objects.

    Exit status 1 if a view takes more than 1.5 ms.
    """
    from robot_vision.bench.self_filter import bench_self_filter
    from robot_vision.bench.stages import show
    from robot_vision.terminal import Screen

    console = Screen()
    result = bench_self_filter(
        model=model,
        frames=frames,
        episodes=episodes,
        seed=seed,
        processes=processes,
        on_progress=lambda done: console.print(f"{done} of {episodes} episodes"),
    )
    show(console, result)
    for name in ("without", "with", "recall_change", "touched_recall_change"):
        if name in result:
            console.print(f"{name}: {result[name]}")
    write_json(out, result)
    raise typer.Exit(0 if result["passed"] else 1)
