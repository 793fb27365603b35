"""`robot-vision bench garden`: exported models side by side."""

from pathlib import Path
from typing import Annotated

import typer


def register(bench_app: typer.Typer) -> None:
    """Add `garden` to the `bench` commands."""
    bench_app.command("garden")(garden)


def garden(
    bundles: Annotated[Path, typer.Argument(help="folder of bundles from `robot-vision export`")],
    out: Annotated[Path, typer.Option(help="folder for the tables and the picture")] = Path(
        "out/garden"
    ),
    docs: Annotated[
        Path | None,
        typer.Option(help="document to insert them into, between its marks: docs/models.md"),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            "--json",
            help="file for `models recommend`: robot_vision/data/garden/garden.json",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="threads per run")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="blocks of five runs per model")] = 10,
) -> None:
    """Every exported model: its metric with interval, size, memory, latency, and training cost.

    Bundles whose recipes differ only in the seed share a row.
    """
    from robot_vision.bench.models.garden import joined_by_seed, list_exported, measure_bundle
    from robot_vision.bench.models.garden_report import (
        as_markdown,
        check_document,
        measured_on,
        write_into,
        write_report,
        write_table,
    )
    from robot_vision.machine import describe_machine
    from robot_vision.model_store.store import find_bundle
    from robot_vision.terminal import say

    if docs is not None:
        check_document(docs)
    rows = []
    for folder in list_exported(bundles):
        say(f"measuring {folder.name}")
        rows += measure_bundle(find_bundle(folder), threads=threads, rounds=rounds)
    joined = joined_by_seed(rows)
    measured = measured_on(describe_machine(), threads=threads)
    write_report(joined, out, measured=measured)
    say(as_markdown(joined, measured=measured))
    say(f"written to {out}: garden.json, garden.md, garden.svg")
    if table is not None:
        write_table(joined, table, measured=measured)
        say(f"written to {table}")
    if docs is not None:
        picture = write_into(docs, joined, measured=measured)
        say(f"written to {docs} and {picture}")
