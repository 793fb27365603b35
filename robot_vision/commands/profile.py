"""`robot-vision profile …`: the cost of a model, and where frames of a running node spend time."""

from pathlib import Path
from typing import Annotated

import typer

from robot_vision.commands.default_group import DefaultGroup
from robot_vision.commands.json_file import MaybeJsonFile, write_json
from robot_vision.commands.overrides import Override, parsed
from robot_vision.commands.sizes import size_px


class _Group(DefaultGroup):
    default = "model"


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    help="The cost of a model, or of each frame of a running node.",
)


@app.command()
def model(
    name: Annotated[
        str,
        typer.Argument(help="model of `models architectures`, run, bundle, or file.onnx"),
    ],
    size: Annotated[str, typer.Option(help="image size, such as 416x320; default: its own")] = "",
    overrides: Override = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="torch-cpu, onnx-cpu, openvino, torch-cuda or onnx-cuda; repeatable; default: all"
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="threads on the CPU; 0: all cores", min=0)] = 0,
    runs: Annotated[int, typer.Option(help="timed runs per engine", min=5)] = 100,
    batch: Annotated[
        list[int] | None,
        typer.Option(help="batch size for throughput; repeatable; default: 1, 4, 16", min=1),
    ] = None,
    throughput: Annotated[bool, typer.Option(help="also measure batches")] = True,
    peak: Annotated[bool, typer.Option(help="measure peak memory, one process per engine")] = True,
    rows: Annotated[int, typer.Option(help="number of layers and operators to show", min=1)] = 10,
    traces: Annotated[
        Path | None, typer.Option(help="folder for traces of every call, for Perfetto")
    ] = None,
    json_file: MaybeJsonFile = None,
    html: Annotated[Path | None, typer.Option(help="HTML file for the tables")] = None,
) -> None:
    """Latency, throughput, GMACs by layer, memory, costly operators; the word `model` may be
    omitted."""
    from robot_vision.core.errors import ConfigError
    from robot_vision.models.card import Size
    from robot_vision.profiling.engines import ENGINES
    from robot_vision.profiling.page import write_page
    from robot_vision.profiling.profile import ProfileOptions, profile
    from robot_vision.profiling.tables import tables
    from robot_vision.terminal import Screen

    unknown = [one for one in engine or () if one not in ENGINES]
    if unknown:
        raise ConfigError(f"engine {unknown[0]!r}; available: {', '.join(ENGINES)}")
    width_height = size_px(size) if size else None
    options = ProfileOptions(
        engines=tuple(engine or ENGINES),
        threads=threads,
        runs=runs,
        batches=tuple(sorted(set(batch or (1, 4, 16)))) if throughput else (),
        peak=peak,
        traces=traces,
    )
    with Screen(stderr=True).status("opening") as status:
        found = profile(
            name,
            options,
            size=Size(width_px=width_height[0], height_px=width_height[1])
            if width_height
            else None,
            spec=parsed(overrides or []),
            progress=status.update,
        )
    screen = Screen()
    for part in tables(found, most=rows):
        screen.print(part)
    if html is not None:
        write_page(html, found, rows=rows)
        screen.print(f"written: {html}")
    write_json(json_file, found.as_json())
    if idle := [one.network for one in found.networks if not one.timed]:
        raise ConfigError(f"no engine ran {', '.join(idle)}: the reasons are above")


@app.command()
def live(
    node: Annotated[str, typer.Option(help="name of the perception node")] = "/perception",
    frames: Annotated[int, typer.Option(help="number of frames to trace", min=1)] = 100,
    timeout: Annotated[float, typer.Option(help="longest wait for a frame, seconds", min=1)] = 10,
    trace: Annotated[Path, typer.Option(help="trace file of all frames, for Perfetto")] = Path(
        "out/live_trace.json"
    ),
    json_file: MaybeJsonFile = None,
) -> None:
    """Trace frames of a running node through all stages, from stamp to publication."""
    from robot_vision.profiling.live import summarise, write_live_trace
    from robot_vision.profiling.tables import live_table
    from robot_vision.ros.tools.trace_reader import read_traces
    from robot_vision.terminal import Screen, say

    traces = read_traces(node, frames=frames, timeout_s=timeout)
    if len(traces) < frames:
        say(f"{len(traces)} of {frames} frames arrived, then none for {timeout:g} s")
    found = summarise(traces)
    screen = Screen()
    screen.print(f"{found.frames} frames of {node}")
    screen.print(live_table(found))
    screen.print(
        f"share of a frame's age outside all stages: {found.unaccounted_p50:.1%} (p50), "
        f"{found.unaccounted_p95:.1%} (p95)"
    )
    write_live_trace(trace, traces, node=node)
    screen.print(f"written: {trace} (open it at https://ui.perfetto.dev)")
    write_json(json_file, found.as_json())
