"""`robot-vision models compare`: bundles side by side on the same pictures."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.terminal import Screen, say


def register(models_app: typer.Typer) -> None:
    """Add `compare` to the `models` commands."""
    models_app.command("compare")(compare_models)


def compare_models(
    names: Annotated[
        list[str], typer.Argument(help="bundles; the others are compared with the first")
    ],
    data: Annotated[
        Path, typer.Option(help="held-out set that was not used to select any of them")
    ],
    images: Annotated[int, typer.Option(min=0, help="number of pictures; 0: all")] = 0,
    out: Annotated[Path, typer.Option(help="folder for report and figures")] = Path("out/compare"),
    pictures: Annotated[
        int, typer.Option(min=0, max=200, help="pictures to show, those with most disagreement")
    ] = 12,
    threads: Annotated[int, typer.Option(min=1, help="threads per timed run")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="blocks of five timed runs per bundle")] = 10,
) -> None:
    """Paired differences with intervals, latencies side by side, and pictures where models
    disagree.

    For detectors of any format, classifiers or segmentation models with the set's classes.
    """
    from rich.table import Table

    from robot_vision.comparing.compare import compare
    from robot_vision.comparing.judge import judge_of
    from robot_vision.comparing.report import FIGURES, REPORT, table_of, write_report
    from robot_vision.machine import describe_machine
    from robot_vision.model_store.store import find_bundle

    bundles = [find_bundle(name) for name in names]
    about = judge_of(tuple(bundles)).about
    compared = compare(
        bundles,
        data,
        images=images,
        cache=out / "cache",
        threads=threads,
        rounds=rounds,
        on_bundle=lambda name: say(f"judging {name}"),
    )
    machine = describe_machine()
    measured = (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']} at the "
        f"end, {threads} threads per run; set {data}"
    )
    write_report(out, compared, about=about, measured=measured, pictures=pictures)
    heads, rows = table_of(compared)
    columns = [heads, *rows]
    table = Table(*(column[0] for column in columns))
    for line in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*line)
    Screen().print(table)
    say(f"written to {out}: {REPORT}, {FIGURES}")
