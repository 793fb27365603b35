"""`robot-vision evaluate demonstrations`: a policy from pixels against an expert's episodes."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

if TYPE_CHECKING:
    from robot_vision.export.measuring.demonstrations import JudgedPolicy

_WIDTH = 120  # if the terminal width is unknown
TRIVIAL = ("repeat", "mean", "hold")


def evaluate(
    policy: Annotated[str, typer.Argument(help="bundle of a policy: a name or a folder")],
    data: Annotated[Path, typer.Option(help="dataset of held-out episodes")],
    out: Annotated[Path, typer.Option(help="folder for metrics.json, errors.csv and paths.png")],
    decisions: Annotated[
        int,
        typer.Option(
            min=1, help="approximate number of decisions, in whole episodes, evenly spaced"
        ),
    ] = 400,
    period: Annotated[
        float, typer.Option(min=0.001, help="seconds from one decision to the next")
    ] = 0.1,
    meaning: Annotated[
        str,
        typer.Option(
            help="YAML file: the meaning of a foreign dataset's numbers; default: as in the "
            "policy's training data"
        ),
    ] = "",
    tiles: Annotated[int, typer.Option(min=1, help="number of paths on the sheet")] = 12,
    cache: Annotated[str, typer.Option(help="folder of decoded pictures")] = (
        "data/cache/demonstrations"
    ),
) -> None:
    """Errors of a policy's actions by dimension and step, grip timing, and drawn paths.

    Runs without a robot: each decision sees what the expert saw. Trivial baselines are given for
    comparison: the last action again, the mean action, and holding.
    """
    from robot_vision.export.measuring.demonstrations import (
        METRICS,
        SHEET,
        TABLE,
        JudgeOptions,
        measure_demonstrations,
    )
    from robot_vision.model_store.policies import find_policy
    from robot_vision.terminal import Screen

    options = JudgeOptions(
        decisions=decisions, period_s=period, tiles=tiles, meaning=meaning, cache_dir=cache
    )
    found = measure_demonstrations(find_policy(policy), data, out=out, options=options)
    console = Screen()
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(_figures_table(found))
    console.print(_errors_table(found))
    for note in found.notes:
        console.print(note)
    console.print(", ".join(f"{out}/{name}" for name in (METRICS, TABLE, SHEET)))


def _figures_table(found: "JudgedPolicy") -> Table:
    table = Table(Column("figure", no_wrap=True), "policy", *TRIVIAL)
    for name, value in found.figures.items():
        if not name.endswith(tuple(f"_{answer}" for answer in TRIVIAL)):
            beside = (found.figures.get(f"{name}_{answer}") for answer in TRIVIAL)
            table.add_row(name, *(_text(each) for each in (value, *beside)))
    return table


def _errors_table(found: "JudgedPolicy") -> Table:
    """Mean absolute errors by dimension: at three steps of the chunk, and over the whole chunk."""
    errors = found.errors["policy"]
    steps = sorted({0, len(errors) // 2, len(errors) - 1})
    first = Column("dimension", no_wrap=True)
    table = Table(first, *(f"step {step + 1}" for step in steps), "all", *TRIVIAL)
    for column, name in enumerate(found.names):
        at_steps = [errors[step, column] for step in steps]
        whole = [found.errors[each][:, column] for each in ("policy", *TRIVIAL)]
        table.add_row(name, *map(_text, at_steps), *(_text(_mean(each)) for each in whole))
    return table


def _mean(values: Iterable[float]) -> float:
    """Mean over the steps taught in some episode."""
    known = [float(value) for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
