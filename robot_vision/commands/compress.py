"""`robot-vision compress`: make a model smaller and faster, accepted by measured results."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.overrides import Override, parsed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compress")(compress)


def compress(
    plan: Annotated[Path, typer.Argument(help="YAML plan, as in config/compress")],
    out: Annotated[
        Path, typer.Option(help="folder for bundles and report; an existing one is continued")
    ],
    overrides: Override = None,
) -> None:
    """Prune, quantise and fine-tune by a plan, and measure the results.

    Each variant of the plan becomes a bundle with its history. It is accepted if it is faster in
    ONNX Runtime than the original, timed in alternation, and loses no more than the plan allows.
    """
    from rich.table import Table

    from robot_vision.compressing.carry_out import carry_out
    from robot_vision.compressing.plan import load_plan
    from robot_vision.compressing.report import FIGURES, PICTURE, REPORT, table_of, write_report
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import Screen, say
    from robot_vision.training.engine.report import ConsoleReporter

    loaded = load_plan(plan, parsed(overrides or []))
    outcome = carry_out(loaded, out, reporter=ConsoleReporter, say=say)
    machine = describe_machine()
    measured = (
        f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']} at the "
        f"end, {loaded.options.threads} threads per run; set {loaded.options.test_set}"
    )
    write_report(out, outcome, measured=measured)
    heads, rows = table_of(outcome)
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    Screen().print(table)
    say(f"written to {out}: bundles/, {REPORT}, {FIGURES}, {PICTURE}")
