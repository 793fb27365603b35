"""`robot-vision similar novel`: pictures that an index has not seen the like of."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.similar_files import (
    MOST_LISTED,
    rows_of_new,
    write_judged,
    write_rows,
)
from robot_vision.commands.similar_options import (
    Camera,
    Device,
    Every,
    Folder,
    Moved,
    Sheet,
    Sources,
    Threads,
    Topic,
    bag_options,
)
from robot_vision.core.files.code_permission import permit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.similar.embedder import Embedder
    from robot_vision.similar.searching.novelty import Judged, Usual
    from robot_vision.similar.store import Index


def register(similar_app: typer.Typer) -> None:
    """Add `novel` to the `similar` commands."""
    similar_app.command("novel")(novel)


def novel(
    folder: Folder,
    sources: Sources,
    neighbours: Annotated[
        int, typer.Option(help="use the distance to the n-th neighbour", min=1)
    ] = 5,
    share: Annotated[
        float,
        typer.Option(
            help="new: farther than this share of the index's own pictures", min=0, max=1
        ),
    ] = 0.99,
    apart: Annotated[
        float, typer.Option(help="seconds; pictures closer in time are not neighbours", min=0)
    ] = 1.0,
    camera: Camera = "",
    rgb_topic: Topic = "",
    every: Every = 1,
    sheet: Sheet = None,
    out: Annotated[Path | None, typer.Option(help="CSV of all pictures")] = None,
    model: Moved = "",
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Find pictures unlike the index: far from it, compared with the distances of its own
    pictures."""
    from robot_vision.similar.embedder import EmbedderOptions, embedder_of
    from robot_vision.similar.searching.novelty import usual_distances
    from robot_vision.similar.store import open_index
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    console, opened = Screen(), open_index(folder)
    options = EmbedderOptions(device=device, threads=threads)
    embedder = embedder_of(opened.model, bundle=model, options=options)
    usual = usual_distances(opened, neighbours=neighbours, apart_s=apart)
    judged = _judge(
        opened, embedder, usual, sources, options=bag_options(camera, rgb_topic), every=every
    )
    new = sorted((one for one in judged if one.share >= share), key=lambda one: -one.distance)
    console.print(
        f"{len(new)} of {len(judged)} pictures are farther from the index than {share:.0%} of "
        "its own pictures"
    )
    _print_new(new[:MOST_LISTED])
    if out is not None:
        write_judged(out, judged, share=share)
    write_rows(sheet, rows_of_new(opened, new[:MOST_LISTED]))


def _judge(
    opened: "Index",
    embedder: "Embedder",
    usual: "Usual",
    sources: list[Path],
    *,
    options: "BagOptions",
    every: int,
) -> "list[Judged]":
    """All pictures of the sources; says which could not be decoded."""
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.similar.searching.novelty import judge_novelty
    from robot_vision.terminal import Screen

    damaged = list[str]()
    judged = [
        one
        for path in sources
        for one in judge_novelty(
            opened,
            embedder,
            usual,
            path,
            config=ServiceConfig(),
            options=options,
            damaged=damaged,
            every=every,
        )
    ]
    if damaged:
        Screen().print(f"picture not decoded ×{len(damaged)}: {', '.join(damaged[:3])}")
    return judged


def _print_new(new: "Sequence[Judged]") -> None:
    from rich.table import Table

    from robot_vision.terminal import Screen

    table = Table("source", "frame", "distance", "farther than")
    for one in new:
        table.add_row(one.source, one.name, f"{one.distance:.4f}", f"{one.share:.1%}")
    Screen().print(table)
