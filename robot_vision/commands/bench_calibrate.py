"""`robot-vision bench calibrate`: accuracy of hand-eye calibration."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from robot_vision.commands.json_file import JsonFile, write_json

_COLUMNS = {
    "within": ("within 1.5 mm, 0.2°", ".0%"),
    "refused": ("refused", "d"),
    "median_mm": ("median, mm", ".2f"),
    "worst_mm": ("worst, mm", ".2f"),
    "median_deg": ("median, °", ".3f"),
    "worst_deg": ("worst, °", ".3f"),
}


def register(bench_app: typer.Typer) -> None:
    """Add `calibrate` to the `bench` commands."""
    bench_app.command("calibrate")(calibrate)


def calibrate(
    setups: Annotated[int, typer.Option(min=1, help="set-ups per mount and condition")] = 50,
    rendered: Annotated[int, typer.Option(min=0, help="set-ups with rendered pictures")] = 10,
    views: Annotated[
        Path | None, typer.Option(help="only write one rendered set-up here, without measuring")
    ] = None,
    mount: Annotated[Literal["tool", "base"], typer.Option(help="of --views")] = "tool",
    seed: Annotated[int, typer.Option(min=0, help="of --views")] = 0,
    out: JsonFile = Path("out/bench_calibrate.json"),
) -> None:
    """Hand-eye calibration on synthetic set-ups, against Tsai and Lenz on the same corners."""
    from rich.table import Table

    from robot_vision.bench.calibrating.calibration import bench_calibration, write_rendered_views
    from robot_vision.terminal import Screen, say

    if views is not None:
        setup = write_rendered_views(views, seed, mount=mount)
        say(f"{len(setup.views)} pictures in {views}; the truth is")
        Screen().print(str(setup.carrier_from_camera.round(5).tolist()))
        return
    result = bench_calibration(setups=setups, rendered=rendered, on_progress=say)
    screen = Screen()
    machine = result["machine"]
    screen.print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']}")
    table = Table("set-ups", "by", *(words for words, _ in _COLUMNS.values()), box=None)
    for name, methods in result["errors"].items():
        for method, one in methods.items():
            figures = (format(one[key], style) for key, (_, style) in _COLUMNS.items())
            table.add_row(f"{one['setups']} × {name}", method, *figures)
    screen.print(table)
    write_json(out, result)
