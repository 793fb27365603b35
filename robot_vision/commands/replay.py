"""`robot-vision replay`, `compare` and `record`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robot_vision.core.errors import ConfigError

if TYPE_CHECKING:
    from robot_vision.core.config import NodeConfig
    from robot_vision.replay.job import Job

INPUTS, PACE, RESULT, MANY = "Inputs", "Pace and part", "Results", "Many bags"


def _option(help: str, panel: str, *names: str) -> Any:
    return typer.Option(*names, help=help, rich_help_panel=panel)


def replay(
    bags: Annotated[list[Path], typer.Argument(help="bags, videos or folders of images")],
    model: Annotated[str, _option("bundle: a name or a folder", INPUTS)] = "",
    config: Annotated[Path | None, _option("YAML of parameters, as the node's", INPUTS)] = None,
    param: Annotated[
        list[str] | None, _option("one parameter: detector.score_threshold=0.4", INPUTS)
    ] = None,
    rgb_topic: Annotated[str, _option("colour images; found by type if not given", INPUTS)] = "",
    depth_topic: Annotated[str, _option("depth images", INPUTS)] = "",
    info_topic: Annotated[str, _option("camera_info of the colour images", INPUTS)] = "",
    target_frame: Annotated[
        str, _option("the node's target_frame; auto: odom, map, world or the root", INPUTS)
    ] = "",
    intrinsics: Annotated[str, _option("fx,fy,cx,cy instead of camera_info", INPUTS)] = "",
    rate: Annotated[
        str, _option("as-fast-as-possible, real-time, or times real time", PACE)
    ] = "as-fast-as-possible",
    from_s: Annotated[float, _option("seconds after the first frame", PACE, "--from")] = 0.0,
    to_s: Annotated[float, _option("seconds after the first frame", PACE, "--to")] = float("inf"),
    out: Annotated[Path | None, _option("folder for report, MCAP and tracks", RESULT)] = None,
    json: Annotated[Path | None, _option("file for all figures", RESULT)] = None,
    golden: Annotated[Path | None, _option("compare with this behaviour", RESULT)] = None,
    update_golden: Annotated[bool, _option("write --golden instead of comparing", RESULT)] = False,
    images: Annotated[str, _option("in the MCAP: none, depth, or all", RESULT)] = "depth",
    tracks: Annotated[str, _option("csv or parquet", RESULT)] = "csv",
    jobs: Annotated[int, _option("bags at a time, each in its process", MANY)] = 1,
    ray: Annotated[str, _option("address of a Ray cluster; local starts one", MANY)] = "",
    resume: Annotated[bool, _option("keep results of the same inputs in --out", MANY)] = False,
) -> None:
    """Replay recordings through the live pipeline. Exit status: 0 pass, 1 regression, 2 failed."""
    from rich.console import Console

    from robot_vision.replay.bag import BagOptions
    from robot_vision.replay.discovery import Topics
    from robot_vision.replay.golden import save_golden
    from robot_vision.replay.job import Job
    from robot_vision.replay.runner import RunOptions
    from robot_vision.replay.summary import EXIT_STATUS, print_summary, verdict_of, write_json

    _check_choice("--images", images, ("none", "depth", "all"))
    _check_choice("--tracks", tracks, ("csv", "parquet"))
    if update_golden and golden is None:
        raise ConfigError("--update-golden needs --golden FILE to write to")
    node = _node_config(config, model=model, param=param or [])
    todo = [
        Job(
            name=name,
            path=path,
            config=node,
            run=RunOptions(
                rate=_rate(rate), from_s=from_s, to_s=to_s, intrinsics_px=_intrinsics(intrinsics)
            ),
            bag=BagOptions(
                topics=Topics(rgb=rgb_topic, depth=depth_topic, info=info_topic),
                target_frame=target_frame or node.target_frame,
            ),
            out=out / name if out else None,
            images=images,  # pyright: ignore[reportArgumentType]
            tracks_format=tracks,  # pyright: ignore[reportArgumentType]
            golden=None if update_golden else golden,
        )
        for name, path in _named(bags)
    ]
    results = _run(todo, jobs=jobs, ray=ray, resume=resume)
    console = Console()
    print_summary(console, results)
    if json is not None:
        write_json(json, results)
    if golden is not None and update_golden:
        save_golden(golden, {r["bag"]: r["behaviour"] for r in results if "behaviour" in r})
        console.print(f"written: {golden}")
    raise typer.Exit(EXIT_STATUS[verdict_of(results)])


def _run(todo: "list[Job]", *, jobs: int, ray: str, resume: bool) -> list[dict[str, Any]]:
    """Results in the order of the bags, with a bar that tells how long it will take."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from robot_vision.replay.job import run_job
    from robot_vision.replay.many import (
        remember,
        run_in_processes,
        run_on_ray,
        take_finished,
        threads_per_job,
    )

    order = [job.name for job in todo]
    by_name = {job.name: job for job in todo}
    results, todo = take_finished(todo) if resume else ([], todo)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        line = bar.add_task("replay", total=len(todo), text="")
        if ray or jobs > 1:
            # The nodes of a cluster are not known here; many bags with a thread each fill them.
            shared = _with_threads(todo, 1 if ray else threads_per_job(jobs))
            found = (
                run_on_ray(shared, address=ray) if ray else run_in_processes(shared, workers=jobs)
            )
        else:
            done_before = iter(range(len(todo)))

            def in_turn(job: "Job") -> dict[str, Any]:
                before = next(done_before)
                bar.update(line, description=job.name)
                return run_job(
                    job,
                    progress=lambda done, text: bar.update(
                        line, completed=before + done, text=text
                    ),
                )

            found = (in_turn(job) for job in todo)
        for result in found:
            remember(by_name[result["bag"]], result)
            results.append(result)
            bar.update(line, completed=len(results) - (len(order) - len(todo)))
    return sorted(results, key=lambda result: order.index(result["bag"]))


def _with_threads(todo: "list[Job]", threads: int) -> "list[Job]":
    """The jobs with that many threads each, where the user did not say how many."""
    from dataclasses import replace

    from robot_vision.core.config import with_values

    return [
        job
        if job.config.threads
        else replace(job, config=with_values(job.config, {"threads": threads}))
        for job in todo
    ]


def _node_config(path: Path | None, *, model: str, param: list[str]) -> "NodeConfig":
    """Parameters from the defaults, then a YAML file, then the command line."""
    import yaml

    from robot_vision.replay.parameters import node_config

    changes = {}
    for text in param:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--param {text!r}: expected name=value")
        changes[name] = yaml.safe_load(value)
    return node_config(path, changes | ({"model": model} if model else {}))


def _named(bags: list[Path]) -> list[tuple[str, Path]]:
    """Bags with names for tables and folders; equal names get a number."""
    named, seen = [], {}
    for path in bags:
        name = path.resolve().name if path.is_dir() else path.stem
        seen[name] = seen.get(name, 0) + 1
        named.append((name if seen[name] == 1 else f"{name}-{seen[name]}", path))
    return named


def _rate(text: str) -> float:
    named = {"as-fast-as-possible": 0.0, "real-time": 1.0}
    try:
        rate = named[text] if text in named else float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1000:
        choices = "as-fast-as-possible, real-time, or a factor above 0"
        raise ConfigError(f"--rate {text!r}: expected {choices}")
    return rate


def _intrinsics(text: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--intrinsics {text!r}: expected four numbers fx,fy,cx,cy") from error
    if fx <= 0 or fy <= 0:
        raise ConfigError(f"--intrinsics {text!r}: focal lengths must be above 0")
    return fx, fy, cx, cy


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{option} {value!r}: expected one of {', '.join(choices)}")


def compare(
    before: Annotated[Path, typer.Argument(help="--json of one replay")],
    after: Annotated[Path, typer.Argument(help="--json of another")],
    everything: Annotated[bool, typer.Option("--all", help="show equal figures too")] = False,
) -> None:
    """Two replays of the same bags side by side. Exit status: 1 if beyond golden tolerances."""
    from rich.console import Console

    from robot_vision.replay.compare import compare_files, print_comparison

    comparisons = compare_files(before, after)
    print_comparison(Console(), comparisons, everything=everything)
    raise typer.Exit(int(any(c.drifts for c in comparisons)))


def record(
    folder: Annotated[Path, typer.Argument(help="new folder for the recording")],
    node: Annotated[str, typer.Option(help="the node whose inputs and outputs are recorded")] = (
        "/perception"
    ),
    exclude: Annotated[
        str, typer.Option(help="topics that match are left out; subscribing makes them computed")
    ] = "/overlay|/features",
    max_disk_gb: Annotated[
        float, typer.Option(help="oldest files are deleted beyond this", min=0.01)
    ] = 10.0,
    split_mb: Annotated[float, typer.Option(help="size of a file", min=1)] = 512.0,
    buffer_mb: Annotated[
        float, typer.Option(help="waits to be written at most; more is dropped", min=1)
    ] = 256.0,
    duration: Annotated[float, typer.Option(help="seconds; 0: until Ctrl-C", min=0)] = 0.0,
) -> None:
    """Record a running node's inputs and outputs to MCAP, for `replay`. Needs ROS 2."""
    from rich.console import Console

    from robot_vision.ros.recorder import record as record_node

    console = Console(stderr=True)
    recorder = record_node(
        folder,
        target=node,
        exclude=exclude,
        split_bytes=round(split_mb * 1e6),
        max_bytes=round(max_disk_gb * 1e9),
        buffer_bytes=round(buffer_mb * 1e6),
        duration_s=duration,
        log=lambda text: console.print(text, highlight=False, markup=False),
    )
    for topic in recorder.topics:
        lost = f", {recorder.dropped[topic]} dropped" if recorder.dropped[topic] else ""
        console.print(f"{topic}: {recorder.counts[topic]} messages{lost}", highlight=False)
    if recorder.failure or not recorder.counts:
        reason = recorder.failure or f"nothing came from or to {node}: is it running?"
        console.print(f"[red]{reason}[/]", highlight=False)
        raise typer.Exit(2)


def register(app: typer.Typer) -> None:
    """Add these commands to `robot-vision`."""
    app.command()(replay)
    app.command()(compare)
    app.command()(record)
