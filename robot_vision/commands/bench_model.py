"""`robot-vision bench model` and `bench gpu`: latency of the native model."""

from typing import Annotated

import typer

from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.json_file import MaybeJsonFile, write_json
from robot_vision.core.files.code_permission import permit_code


def register(bench_app: typer.Typer) -> None:
    """Add the commands to `robot-vision bench`."""
    bench_app.command(name="model")(model)
    bench_app.command(name="gpu")(gpu)


def model(
    name: Annotated[str, typer.Option("--model", help="a native bundle")] = "native-s",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="blocks of five runs per model")] = 10,
    json_file: MaybeJsonFile = None,
    allow_code: AllowCode = False,
) -> None:
    """ONNX Runtime against eager torch, and against three separate nets at 224×224, on the CPU."""
    from dataclasses import asdict

    from rich.table import Table

    from robot_vision.bench.models.model import measure_model
    from robot_vision.machine import describe_machine
    from robot_vision.model_store.store import find_bundle
    from robot_vision.terminal import Screen

    permit_code(allow_code)
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
    Screen().print(table)
    figures = {"bench": "model", "machine": describe_machine(), "model": name, "threads": threads}
    write_json(json_file, figures | asdict(times))


def gpu(
    architecture: Annotated[str, typer.Option(help="native-s or native-m")] = "native-s",
    width: Annotated[int, typer.Option(help="pixels", min=64)] = 416,
    height: Annotated[int, typer.Option(help="pixels", min=64)] = 320,
    runs: Annotated[int, typer.Option(min=10, help="runs per configuration")] = 200,
    json_file: MaybeJsonFile = None,
) -> None:
    """On a CUDA GPU: FP32 and FP16, with and without a CUDA graph, one frame and batches."""
    from dataclasses import asdict

    from rich.table import Table

    from robot_vision.bench.models.gpu import describe_card, measure_gpu
    from robot_vision.machine import describe_machine
    from robot_vision.terminal import Screen

    times = measure_gpu(
        architecture, width_px=width, height_px=height, batches=[1, 32, 128], runs=runs
    )
    table = Table(
        "precision", "CUDA graph", "batch", "p50 ms", "p95 ms", "frames/s",
        title=f"{architecture} {width}×{height}, {describe_card()}",
    )  # fmt: skip
    for time in times:
        table.add_row(
            time.precision, "yes" if time.graph else "no", str(time.batch),
            f"{time.p50_ms:.2f}", f"{time.p95_ms:.2f}", f"{time.frames_per_s:.0f}",
        )  # fmt: skip
    Screen().print(table)
    figures = {"bench": "gpu", "machine": describe_machine(), "card": describe_card()}
    write_json(json_file, figures | {"times": [asdict(time) for time in times]})
