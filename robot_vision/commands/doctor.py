"""`robot-vision doctor`: what is missing on this machine, and how to fix it."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `doctor` to the command line."""
    app.command()(doctor)


def doctor(
    robot_description: Annotated[
        Path | None,
        typer.Option(help="URDF of the arm, to list links that self-collision cannot check"),
    ] = None,
) -> None:
    """Check Python packages, ROS 2, middleware, shared memory, providers and models.

    Exit status 1 if something prevents the service from working.
    """
    from rich.table import Table

    from robot_vision.doctor import examine
    from robot_vision.doctor_arm import examine_arm
    from robot_vision.terminal import Screen, styled

    style = {"ok": "green", "warn": "yellow", "error": "red"}
    table = Table("", "checked", "found", "what to do", box=None, pad_edge=False)
    findings = list(examine())
    if robot_description is not None:
        findings += examine_arm(robot_description)
    for finding in findings:
        mark = styled(finding.level, style[finding.level])
        table.add_row(mark, finding.subject, finding.found, finding.advice)
    Screen().print(table)
    raise typer.Exit(1 if any(finding.level == "error" for finding in findings) else 0)
