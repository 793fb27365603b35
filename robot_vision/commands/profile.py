"""`robot-vision profile …`: what a model costs, and where frames of a running node spend time."""

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
    cls=_Group, no_args_is_help=True, help="What a model costs, or each frame of a running node."
)


@app.command()
def model(
    name: Annotated[
        str,
        typer.Argument(help="model of `models architectures`, run, bundle, or file.onnx"),
    ],
    size: Annotated[str, typer.Option(help="416x320, of the pictures; default: its own")] = "",
    overrides: Override = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="torch-cpu, onnx-cpu, openvino, torch-cuda or onnx-cuda; repeatable; all"
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="of the CPU; 0 takes all cores", min=0)] = 0,
    runs: Annotated[int, typer.Option(help="timed runs of each engine", min=5)] = 100,
    batch: Annotated[
        list[int] | None, typer.Option(help="sizes for throughput; repeatable; 1, 4, 16", min=1)
    ] = None,
    throughput: Annotated[bool, typer.Option(help="measure many samples at once too")] = True,
    peak: Annotated[bool, typer.Option(help="most memory, by a process an engine")] = True,
    rows: Annotated[int, typer.Option(help="of layers and operators shown", min=1)] = 10,
    traces: Annotated[
        Path | None, typer.Option(help="folder for files of every call, for Perfetto")
    ] = None,
    json_file: MaybeJsonFile = None,
    html: Annotated[Path | None, typer.Option(help="the tables as a page")] = None,
) -> None:
    """Latency, throughput, GMACs by layer, memory, costly operators; `model` may be left out."""
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


@app.command()
def live(
    node: Annotated[str, typer.Option(help="the perception node's name")] = "/perception",
    frames: Annotated[int, typer.Option(help="frames that are traced", min=1)] = 100,
    timeout: Annotated[float, typer.Option(help="longest wait for a frame, seconds", min=1)] = 10,
    trace: Annotated[Path, typer.Option(help="file for Perfetto, of every frame")] = Path(
        "out/live_trace.json"
    ),
    json_file: MaybeJsonFile = None,
) -> None:
    """Trace frames of a running node through all stages, from the stamp to what is published."""
    from robot_vision.profiling.live import summarise, write_live_trace
    from robot_vision.profiling.tables import live_table
    from robot_vision.ros.tools.trace_reader import read_traces
    from robot_vision.terminal import Screen, say

    traces = read_traces(node, frames=frames, timeout_s=timeout)
    if len(traces) < frames:
        say(f"{len(traces)} of {frames} frames came; then none for {timeout:g} s")
    found = summarise(traces)
    screen = Screen()
    screen.print(f"{found.frames} frames of {node}")
    screen.print(live_table(found))
    screen.print(
        f"of a frame's age no stage has {found.unaccounted_p50:.1%} (p50), "
        f"{found.unaccounted_p95:.1%} (p95)"
    )
    write_live_trace(trace, traces, node=node)
    screen.print(f"written: {trace} (open it at https://ui.perfetto.dev)")
    write_json(json_file, found.as_json())
