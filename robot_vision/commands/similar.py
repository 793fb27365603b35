"""`robot-vision similar …`: similar pictures and places, duplicates, and what is new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands import similar_cells
from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.similar_cells import Device, Threads
from robot_vision.core.files.code_permission import permit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robot_vision.similar.searching.novelty import Judged
    from robot_vision.similar.sheets import Tile
    from robot_vision.similar.store import Index

app = typer.Typer(
    no_args_is_help=True,
    help="An index of pictures by appearance: similar ones, duplicates, and new ones.",
)

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
_MOST_LISTED = 30


@app.command()
def index(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="folder of the index; new pictures are added")],
    model: Annotated[str, typer.Option(help="any bundle with features")] = "native-s",
    camera: Camera = "",
    rgb_topic: Topic = "",
    every: Annotated[int, typer.Option(help="use every n-th picture", min=1)] = 1,
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
                options=_bag_options(camera, rgb_topic),
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
    from robot_vision.similar.sheets import Tile, write_sheet
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
        tiles = [_tile(opened, one.row, f"{one.similarity:.3f}") for one in found]
        rows.append([Tile(rgb=rgb, lines=(path.name, "")), *tiles])
    Screen().print(table)
    _write(sheet, rows, write_sheet)


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
    import csv

    from rich.table import Table

    from robot_vision.similar.ask import neighbour
    from robot_vision.similar.searching.duplicates import duplicate_groups, duplicate_threshold
    from robot_vision.similar.sheets import write_sheet
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
    for group in groups[:_MOST_LISTED]:
        kept = neighbour(opened, group.kept, 1.0)
        lowest = f"{group.similarity.min():.4f} and more"
        table.add_row(kept.name, kept.source, str(len(group.others)), lowest)
    console.print(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["group", "source", "frame", "cosine", "kept"])
            for number, group in enumerate(groups):
                members = [(group.kept, 1.0), *zip(group.others, group.similarity, strict=True)]
                for place, (row, cosine) in enumerate(members):
                    one = neighbour(opened, int(row), float(cosine))
                    writer.writerow([number, one.source, one.name, f"{cosine:.5f}", not place])
        console.print(f"written: {out}")
    rows = [
        [
            _tile(opened, int(row), "kept" if row == group.kept else "")
            for row in [group.kept, *group.others[:7]]
        ]
        for group in groups[:_MOST_LISTED]
    ]
    _write(sheet, rows, write_sheet)


@app.command()
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
    every: Annotated[int, typer.Option(help="use every n-th picture", min=1)] = 1,
    sheet: Sheet = None,
    out: Annotated[Path | None, typer.Option(help="CSV of all pictures")] = None,
    model: Moved = "",
    device: Device = "auto",
    threads: Threads = 1,
    allow_code: AllowCode = False,
) -> None:
    """Find pictures unlike the index: far from it, compared with the distances of its own
    pictures."""
    from rich.table import Table

    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.similar.embedder import EmbedderOptions, embedder_of
    from robot_vision.similar.searching.novelty import judge_novelty, usual_distances
    from robot_vision.similar.sheets import Tile, decoded, write_sheet
    from robot_vision.similar.store import open_index
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    console, opened = Screen(), open_index(folder)
    options = EmbedderOptions(device=device, threads=threads)
    embedder = embedder_of(opened.model, bundle=model, options=options)
    usual = usual_distances(opened, neighbours=neighbours, apart_s=apart)
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
            options=_bag_options(camera, rgb_topic),
            damaged=damaged,
            every=every,
        )
    ]
    if damaged:
        console.print(f"picture not decoded ×{len(damaged)}: {', '.join(damaged[:3])}")
    new = sorted((one for one in judged if one.share >= share), key=lambda one: -one.distance)
    console.print(
        f"{len(new)} of {len(judged)} pictures are farther from the index than {share:.0%} of "
        "its own pictures"
    )
    table = Table("source", "frame", "distance", "farther than")
    for one in new[:_MOST_LISTED]:
        table.add_row(one.source, one.name, f"{one.distance:.4f}", f"{one.share:.1%}")
    console.print(table)
    if out is not None:
        _write_judged(out, judged, share=share)
        console.print(f"written: {out}")
    rows = [
        [
            Tile(rgb=decoded(one.thumbnail), lines=(f"{one.distance:.3f}", one.name)),
            _tile(opened, one.nearest, "nearest known"),
        ]
        for one in new[:_MOST_LISTED]
    ]
    _write(sheet, rows, write_sheet)


def _write_judged(out: Path, judged: "Sequence[Judged]", *, share: float) -> None:
    """A CSV row per picture, new or not."""
    import csv

    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "frame", "distance", "farther_than", "novel"])
        for one in judged:
            values = [f"{one.distance:.5f}", f"{one.share:.4f}", one.share >= share]
            writer.writerow([one.source, one.name, *values])


similar_cells.register(app)


def _bag_options(camera: str, rgb_topic: str) -> Any:
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.replay.reading.discovery import Topics
    from robot_vision.replay.reading.episodes.options import EpisodeOptions

    return BagOptions(topics=Topics(rgb=rgb_topic), episodes=EpisodeOptions(camera=camera))


def _tile(opened: "Index", row: int, word: str) -> "Tile":
    from robot_vision.similar.sheets import Tile, decoded

    return Tile(rgb=decoded(opened.thumbnail(row)), lines=(word, opened.name(row)))


def _write(sheet: Path | None, rows: Any, write: Any) -> None:
    from robot_vision.terminal import Screen

    if sheet is not None:
        write(sheet, rows)
        Screen().print(f"written: {sheet}")


def _bar() -> Any:
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from robot_vision.terminal import Screen, text_column

    columns = (text_column("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Screen(stderr=True), transient=True)
