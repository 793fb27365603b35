"""`robot-vision bench …`: the measurements behind the README's figures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from robot_vision.commands import (
    bench_calibrate,
    bench_depth_fill,
    bench_garden,
    bench_multimodal,
    bench_policies,
    bench_self_filter,
    bench_tracker,
)
from robot_vision.commands.allow_code import AllowCode
from robot_vision.commands.json_file import JsonFile, write_json
from robot_vision.core.files.code_permission import permit_code

bench_app = typer.Typer(no_args_is_help=True, help="Measure; results as a table and JSON.")

Model = Annotated[str, typer.Option(help="model bundle: a name in the store or a folder")]
Threads = Annotated[int, typer.Option(help="threads per model; 0: all cores", min=0)]
Recording = Annotated[
    Path | None,
    typer.Option(help="recording to take frames from; default: the shipped one, scaled"),
]


def register(app: typer.Typer) -> None:
    """Add `bench` to the command line."""
    bench_tracker.register(bench_app)
    bench_calibrate.register(bench_app)
    bench_depth_fill.register(bench_app)
    bench_garden.register(bench_app)
    bench_multimodal.register(bench_app)
    bench_policies.register(bench_app)
    bench_self_filter.register(bench_app)
    app.add_typer(bench_app, name="bench")


@bench_app.command()
def pipeline(
    model: Model = "native-s",
    threads: Threads = 0,
    recording: Recording = None,
    frames: Annotated[int, typer.Option(help="frames measured", min=1)] = 300,
    width: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 640,
    height: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 480,
    out: JsonFile = Path("out/bench_pipeline.json"),
    grounding_model: Annotated[str, typer.Option(help="bundle of a model with prompts")] = "",
    prompt: Annotated[str, typer.Option(help="its prompt")] = "",
    allow_code: AllowCode = False,
) -> None:
    """Frames through the pipeline in this process, without ROS."""
    from robot_vision.bench.pipeline import bench_pipeline
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.replay.reading.example_frames import load_frames

    permit_code(allow_code)
    loaded = load_frames(recording, count=90, width_px=width, height_px=height)
    config = ServiceConfig(
        model=model, threads=threads, grounding_model=grounding_model, prompt=prompt
    )
    _tell(bench_pipeline(config, loaded, count=frames), out)


@bench_app.command()
def ros(
    model: Model = "native-s",
    threads: Threads = 0,
    recording: Recording = None,
    seconds: Annotated[float, typer.Option(help="duration of the measurement", min=1)] = 60.0,
    fps: Annotated[float, typer.Option(help="frames per second of the camera", min=1)] = 30.0,
    width: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 640,
    height: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 480,
    out: JsonFile = Path("out/bench_ros.json"),
    allow_code: AllowCode = False,
) -> None:
    """A camera process and the node's process over real DDS, with all outputs subscribed."""
    from robot_vision.bench.nodes.ros import bench_ros

    permit_code(allow_code)
    ros_args = ["-p", f"model:={model}", "-p", f"threads:={threads}"]
    result = bench_ros(
        ros_args=ros_args,
        seconds=seconds,
        fps=fps,
        recording=recording,
        width_px=width,
        height_px=height,
    )
    _tell(result, out)


@bench_app.command()
def points(
    model: Model = "native-s",
    recording: Recording = None,
    frames: Annotated[int, typer.Option(help="number of frames", min=2)] = 10,
    width: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 640,
    height: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 480,
    out: JsonFile = Path("out/bench_points.json"),
    allow_code: AllowCode = False,
) -> None:
    """Processor time of point clouds, against a plain Python loop."""
    from robot_vision.bench.nodes.points import bench_points
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.replay.reading.example_frames import load_frames

    permit_code(allow_code)
    loaded = load_frames(recording, count=frames, width_px=width, height_px=height)
    _tell(bench_points(ServiceConfig(model=model, threads=1), loaded), out)


@bench_app.command()
def demonstrations(
    recording: Recording = None,
    frames: Annotated[int, typer.Option(help="frames of the episode", min=1)] = 300,
    width: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 640,
    height: Annotated[int, typer.Option(help="in pixels, if no recording is given", min=16)] = 480,
    depth: Annotated[bool, typer.Option(help="also record depth")] = True,
    out: JsonFile = Path("out/bench_demonstrations.json"),
) -> None:
    """Record an episode and read it back: processor time and bytes per frame."""
    from dataclasses import replace

    from robot_vision.bench.nodes.demonstrations import bench_demonstrations
    from robot_vision.replay.reading.example_frames import load_frames

    loaded = load_frames(recording, count=90, width_px=width, height_px=height)
    if not depth:
        loaded = [replace(frame, depth_m=None) for frame in loaded]
    _tell(bench_demonstrations(loaded, count=frames), out)


@bench_app.command()
def swaps(
    model: Model = "native-s",
    threads: Threads = 0,
    count: Annotated[int, typer.Option(help="models loaded one after the other", min=1)] = 250,
    give_back: Annotated[
        bool, typer.Option(help="return free memory to the system after each, as the node does")
    ] = True,
    out: JsonFile = Path("out/bench_swaps.json"),
) -> None:
    """Swap models while frames are served: memory after each swap, and delays of frames."""
    from robot_vision.bench.nodes.swaps import bench_swaps
    from robot_vision.core.parameters.config import ServiceConfig

    config = ServiceConfig(model=model, threads=threads)
    _tell(bench_swaps(config, count=count, gives_back=give_back), out)


def _tell(result: dict[str, Any], out: Path) -> None:
    from robot_vision.bench.stages import show
    from robot_vision.terminal import Screen

    show(Screen(), result)
    write_json(out, result)
