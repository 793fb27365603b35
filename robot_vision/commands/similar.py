"""`robot-vision similar …`: similar pictures and places, duplicates, and what is new."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands import similar_cells, similar_novel
from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.similar_files import (
    MOST_LISTED,
    rows_of_groups,
    tile,
    write_groups,
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

app = typer.Typer(
    no_args_is_help=True,
    help="An index of pictures by appearance: similar ones, duplicates, and new ones.",
)


@app.command()
def index(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="folder of the index; new pictures are added")],
    model: Annotated[str, typer.Option(help="any bundle with features")] = "native-s",
    camera: Camera = "",
    rgb_topic: Topic = "",
    every: Every = 1,
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Add pictures to an index. Repeat the command to resume after an interruption."""
    from robot_vision.core.errors import MissingDependencyError
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.similar.build import add_source, index_for
    from robot_vision.similar.embedder import Embedder, EmbedderOptions
    from robot_vision.similar.searching.graph import EXACT_ROWS, build_graph
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    console = Screen()
    embedder = Embedder(model, EmbedderOptions(device=device, threads=threads))
    opened = index_for(out, embedder)
    for path in sources:
        with _bar() as bar:
            task = bar.add_task(path.name, total=1.0)
            added = add_source(
                opened,
                embedder,
                path,
                config=ServiceConfig(),
                options=bag_options(camera, rgb_topic),
                every=every,
                on_progress=lambda done, bar=bar, task=task: bar.update(task, completed=done),
            )
        said = f"{path}: {added.new} new, {added.known} already there"
        wrong = "; ".join(f"{kind} ×{count}" for kind, count in added.problems.items())
        console.print(f"{said}; {wrong}" if wrong else said)
    console.print(f"{len(opened)} pictures of {embedder.model.model_id} in {out}")
    if len(opened) > EXACT_ROWS:
        try:
            console.print(f"{build_graph(opened, threads=threads)} rows put into the graph")
        except MissingDependencyError as error:
            console.print(f"no graph: {error}")


@app.command()
def query(
    folder: Folder,
    pictures: Annotated[list[Path], typer.Argument(help="pictures to look for")],
    count: Annotated[int, typer.Option(help="number of most similar pictures", min=1)] = 8,
    sheet: Sheet = None,
    model: Moved = "",
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Find the most similar pictures in the index, with their cosines."""
    from rich.table import Table

    from robot_vision.similar.ask import neighbours
    from robot_vision.similar.embedder import EmbedderOptions, embedder_of
    from robot_vision.similar.frames import read_picture
    from robot_vision.similar.sheets import Tile
    from robot_vision.similar.store import open_index
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    opened = open_index(folder)
    options = EmbedderOptions(device=device, threads=threads)
    embedder = embedder_of(opened.model, bundle=model, options=options)
    table = Table("picture", "cosine", "source", "frame")
    rows: list[list[Tile]] = []
    for path in pictures:
        rgb = read_picture(path)
        found = neighbours(opened, embedder.look(rgb), count=count)
        for one in found:
            table.add_row(path.name, f"{one.similarity:.4f}", one.source, one.name)
        tiles = [tile(opened, one.row, f"{one.similarity:.3f}") for one in found]
        rows.append([Tile(rgb=rgb, lines=(path.name, "")), *tiles])
    Screen().print(table)
    write_rows(sheet, rows)


@app.command()
def duplicates(
    folder: Folder,
    threshold: Annotated[
        float,
        typer.Option(help="cosine threshold; 0: reached by 95 % of altered copies", min=0, max=1),
    ] = 0.0,
    sheet: Sheet = None,
    out: Annotated[Path | None, typer.Option(help="CSV of all groups")] = None,
) -> None:
    """Find groups of near-duplicates: as similar as a picture is to an altered copy of itself."""
    from rich.table import Table

    from robot_vision.similar.ask import neighbour
    from robot_vision.similar.searching.duplicates import duplicate_groups, duplicate_threshold
    from robot_vision.similar.store import open_index
    from robot_vision.terminal import Screen

    console, opened = Screen(), open_index(folder)
    used = threshold or duplicate_threshold(opened)
    groups = duplicate_groups(opened.vectors, threshold=used)
    spare = sum(len(group.others) for group in groups)
    console.print(
        f"{len(groups)} groups at a cosine of {used:.4f}: {spare} of {len(opened)} pictures are "
        "near-duplicates of one that is kept"
    )
    table = Table("kept", "in", "duplicates", "cosine")
    for group in groups[:MOST_LISTED]:
        kept = neighbour(opened, group.kept, 1.0)
        lowest = f"{group.similarity.min():.4f} and more"
        table.add_row(kept.name, kept.source, str(len(group.others)), lowest)
    console.print(table)
    if out is not None:
        write_groups(out, opened, groups)
    write_rows(sheet, rows_of_groups(opened, groups[:MOST_LISTED]))


similar_novel.register(app)
similar_cells.register(app)


def _bar() -> Any:
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from robot_vision.terminal import Screen, text_column

    columns = (text_column("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Screen(stderr=True), transient=True)
