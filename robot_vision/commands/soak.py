"""`robot-vision soak`: the whole loop with injected faults, for hours."""

from pathlib import Path
from typing import Annotated

import typer

_S_PER_H, _S_PER_MIN = 3600.0, 60.0


def register(app: typer.Typer) -> None:
    """Add `soak` to the command line."""
    app.command()(soak)


def soak(
    hours: Annotated[float, typer.Option(help="duration in hours", min=0)] = 0.0,
    minutes: Annotated[float, typer.Option(help="additional minutes", min=0)] = 0.0,
    seed: Annotated[int, typer.Option(help="seed of faults and scenes", min=0)] = 0,
    faults: Annotated[str, typer.Option(help="names, separated by commas; default: all")] = "",
    show: Annotated[bool, typer.Option("--list", help="list the faults and exit")] = False,
    policy: Annotated[str, typer.Option(help="policy bundle: a name in the store or a folder")] = (
        "policy-s"
    ),
    camera_hz: Annotated[
        float, typer.Option(help="frame rate of the camera", min=1, max=60)
    ] = 10.0,
    out: Annotated[Path, typer.Option(help="folder for report and logs")] = Path("out/soak"),
) -> None:
    """Simulated robot, perception, policy and console, with faults drawn at random.

    Invariants are checked all the time: limits, hold times, memory growth, every lost frame.
    Ctrl-C ends it with a report so far. Exit status: 0 all invariants held, 1 one was violated, 2
    it could not run.
    """
    from rich.table import Column, Table

    from robot_vision.core.errors import ConfigError
    from robot_vision.soak.fault import chosen
    from robot_vision.terminal import Screen

    screen = Screen()
    wanted = chosen(faults)
    if show:
        table = Table(
            Column("fault", no_wrap=True),
            "what happens",
            "seconds",
            "must hold",
            "may need enable",
        )
        for fault in wanted:
            table.add_row(
                fault.name,
                fault.about,
                f"{fault.least_s:g} to {fault.most_s:g}",
                "yes" if fault.must_hold else "",
                "yes" if fault.may_need_enable else "",
            )
        screen.print(table)
        return
    seconds = hours * _S_PER_H + minutes * _S_PER_MIN
    if not seconds:
        raise ConfigError("no duration: expected --hours or --minutes above 0")
    from robot_vision.ros.soak.loop import Soak
    from robot_vision.ros.soak.loop import soak as run

    asked = Soak(
        seconds=seconds, seed=seed, faults=wanted, out=out, policy=policy, camera_hz=camera_hz
    )
    raise typer.Exit(0 if run(asked, screen) else 1)
