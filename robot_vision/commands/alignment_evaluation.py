"""`robot-vision evaluate alignment`: image-text models, on a held-out set."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Argument(help="bundle of task alignment: a name or a folder")],
    data: Annotated[Path, typer.Option(help="held-out set with captions")],
    out: Annotated[Path, typer.Option(help="folder for metrics.json, map.png and words.png")],
    images: Annotated[
        int, typer.Option(min=0, help="number of pictures, evenly spaced; 0: all")
    ] = 0,
    candidates: Annotated[int, typer.Option(min=2, help="candidate captions per retrieval")] = 100,
    draws: Annotated[int, typer.Option(min=1, help="random choices of the candidates")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="seed of the draws")] = 0,
    tiles: Annotated[int, typer.Option(min=1, help="pictures on words.png")] = 12,
) -> None:
    """Retrieval both ways, similarities, unseen appearances, swapped words; plots of the space.

    Baselines are given with the figures: chance, and named colours against actual colours.
    """
    from robot_vision.export.measuring.alignment import MeasureOptions, measure_alignment
    from robot_vision.model_store.store import find_bundle
    from robot_vision.terminal import Screen
    from robot_vision.training.metrics.alignment import Draws

    options = MeasureOptions(
        pictures=images,
        draws=Draws(candidates=candidates, count=draws, seed=seed),
        tiles=tiles,
    )
    found = measure_alignment(find_bundle(model), data, out=out, options=options)
    console = Screen()
    for name, value in found.metrics.items():
        if not name.endswith(("/low", "/high")):
            bounds = [found.metrics.get(f"{name}/{end}") for end in ("low", "high")]
            beside = "" if None in bounds else f"  ({bounds[0]} to {bounds[1]})"
            console.print(f"{name:40} {value}{beside}")
    for note in found.notes:
        console.print(note)
    console.print(", ".join(f"{out}/{name}" for name in found.files))
