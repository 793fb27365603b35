"""`robot-vision bench model`: the native model's latency, as ratios of one run."""

from typing import Annotated

import typer


def register(bench_app: typer.Typer) -> None:
    """Add the command to `robot-vision bench`."""
    bench_app.command(name="model")(model)


def model(
    name: Annotated[str, typer.Option("--model", help="a native bundle")] = "native-s",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="blocks of five runs of each")] = 10,
) -> None:
    """ONNX Runtime against eager torch, and against three separate nets at 224×224, on the CPU."""
    from rich.console import Console
    from rich.table import Table

    from robot_vision.bench.model import measure_model
    from robot_vision.model_store.store import find_bundle

    bundle = find_bundle(name)
    times = measure_model(bundle, threads=threads, rounds=rounds)
    size = f"{bundle.manifest.input.width_px}×{bundle.manifest.input.height_px}"
    table = Table("what", "median ms", "times slower")
    table.add_row(f"{name}, ONNX Runtime, {size}", f"{times.onnx_ms:.1f}", "1.0")
    table.add_row(
        f"{name}, eager torch, {size}", f"{times.torch_ms:.1f}", f"{times.against_torch:.1f}"
    )
    table.add_row(
        "three separate nets, eager torch, 224×224",
        f"{times.separate_nets_ms:.1f}",
        f"{times.against_separate_nets:.1f}",
    )
    Console().print(table)
