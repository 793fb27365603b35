"""`robot-vision bench depth-fill`: methods of filling a depth sensor's holes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.commands.json_file import JsonFile, write_json

if TYPE_CHECKING:
    from robot_vision.core.types import Frame

SHARED = Path("../shared/data")
KITCHEN, TABLETOP = SHARED / "bags/redkitchen_mcap", SHARED / "rgbd/tabletop"
_FRAMES, _EVERY = 90, 15


def register(bench_app: typer.Typer) -> None:
    """Add `depth-fill` to the `bench` commands."""
    bench_app.command("depth-fill")(depth_fill)


def depth_fill(
    model: Annotated[str, typer.Option(help="bundle whose depth is compared")] = "native-s",
    recording: Annotated[
        list[Path] | None, typer.Option(help="recording with measured depth; repeatable")
    ] = None,
    cuts: Annotated[int, typer.Option(min=1, help="holes of each kind per frame")] = 4,
    out: JsonFile = Path("out/bench_depth_fill.json"),
) -> None:
    """AbsRel in holes cut into measured depth: ours, a model's, nearest pixel, inpainting; times.

    Uses the shipped recording, the given ones, and those of real sensors in ../shared/data.
    """
    from robot_vision.bench.depth_fill import BANDS_PX, bench_depth_fill
    from robot_vision.terminal import Screen

    result = bench_depth_fill(_sets(recording or []), model=model, cuts=cuts)
    write_json(out, result)
    screen = Screen()
    machine = result["machine"]
    screen.print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']}")
    screen.print(_table(result["absrel"]))
    screen.print(f"by distance, beyond {BANDS_PX} px, and the rest: {out}")
    screen.print(f"processor time a map: {result['time']}")


def _sets(recordings: list[Path]) -> "dict[str, list[Frame]]":
    """Frames with measured depth, by set name."""
    from robot_vision.replay.reading.example_frames import load_frames

    size = {"count": _FRAMES, "width_px": 640, "height_px": 480}
    sets = {"shipped recording": load_frames(None, **size)[::_EVERY]}
    for path in [*recordings, *([KITCHEN] if KITCHEN.is_dir() else [])]:
        sets[path.name] = load_frames(path, **size)[::_EVERY]
    if TABLETOP.is_dir():  # two pictures of two tables: one set each
        views = load_frames(TABLETOP, **size)
        sets |= {f"{TABLETOP.name} {k}": [view] for k, view in enumerate(views, start=1)}
    return sets


def _table(absrel: dict[str, Any]) -> Any:
    from rich.table import Table

    ways = list(next(iter(absrel.values()))["all"])
    table = Table("AbsRel in holes", *ways, "pixels", box=None)
    for name, one in absrel.items():
        table.add_row(name, *(f"{one['all'][way]:.3f}" for way in ways), str(one["pixels"]))
    return table
