"""`robot-vision replay`, `compare` and `record`."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from robot_vision.commands import replay_options as opt
from robot_vision.commands.allow_code import AllowCode
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.code_permission import permit_code

if TYPE_CHECKING:
    from robot_vision.replay.jobs.job import Job
    from robot_vision.replay.judging.judge import JudgeOptions


def replay(
    bags: opt.Bags,
    model: opt.Model = "",
    config: opt.ParameterFile = None,
    param: opt.Parameters = None,
    rgb_topic: opt.RgbTopic = "",
    depth_topic: opt.DepthTopic = "",
    info_topic: opt.InfoTopic = "",
    depth_info_topic: opt.DepthInfoTopic = "",
    episode: opt.Episodes = None,
    camera: opt.Camera = "",
    fps: opt.Fps = 0.0,
    policy: opt.Policy = "",
    meaning: opt.MeaningFile = None,
    list_topics: opt.ListTopics = False,
    target_frame: opt.TargetFrame = "",
    intrinsics: opt.FixedIntrinsics = "",
    rate: opt.Rate = "as-fast-as-possible",
    from_s: opt.From = 0.0,
    to_s: opt.To = float("inf"),
    out: opt.Out = None,
    json: opt.Json = None,
    golden: opt.Golden = None,
    update_golden: opt.UpdateGolden = False,
    images: opt.RecordedImages = "depth",
    points: opt.Points = False,
    tracks: opt.Tracks = "csv",
    jobs: opt.Jobs = 1,
    ray: opt.Ray = "",
    resume: opt.Resume = False,
    allow_code: AllowCode = False,
) -> None:
    """Replay recordings through the live pipeline. Exit status: 0 pass, 1 regression, 2 failed."""
    from robot_vision.replay.jobs import options
    from robot_vision.replay.jobs.job import Job
    from robot_vision.replay.reading.bag import BagOptions
    from robot_vision.replay.reading.discovery import Topics
    from robot_vision.terminal import Screen

    permit_code(allow_code)
    written = golden if update_golden else None
    if update_golden and golden is None:
        raise ConfigError("--update-golden needs --golden FILE to write to")
    if policy:
        from robot_vision.replay.judging.judge import JudgeOptions

        words, pointing = options.parse_pointing(param or [])
        how = JudgeOptions(
            words=words,
            pointing=pointing,
            episodes=tuple(episode or ()),
            meaning=meaning,
            fps=fps,
            model=model,
            camera=camera,
        )
        _judge(bags, policy, how, golden=golden, update=update_golden)
    _check_kept(written)
    node = options.parse_parameters(param or [], config=config, model=model)
    if node.unheard_prompt:
        Screen(stderr=True).print(node.unheard_prompt)
    topics = Topics(rgb=rgb_topic, depth=depth_topic, info=info_topic, depth_info=depth_info_topic)
    shared = Job(
        name="",
        path=Path(),
        config=node,
        run=options.parse_run(rate=rate, from_s=from_s, to_s=to_s, intrinsics=intrinsics),
        bag=BagOptions(
            topics=topics,
            episodes=options.parse_episodes(episode or [], camera=camera, fps=fps),
            target_frame=target_frame or node.target_frame,
        ),
        images=options.parse_images(images),
        points=points,
        tracks_format=options.parse_tracks(tracks),
        golden=None if update_golden else golden,
    )
    if list_topics:
        _list(bags, config=node, bag=shared.bag)
    results = _run(bags, shared, out=out, workers=jobs, ray=ray, resume=resume)
    _conclude(results, out=out, json=json, golden=written)


def _check_kept(golden: Path | None) -> None:
    """Refuse a golden file before the replay: its tolerances and other bags will be kept."""
    from robot_vision.replay.reporting.comparison.golden import load_golden

    if golden is not None and golden.exists():
        load_golden(golden)


def _run(
    bags: list[Path], shared: "Job", *, out: Path | None, workers: int, ray: str, resume: bool
) -> list[dict[str, Any]]:
    """Run the job for each recording; its results go to a folder of its name in `out`."""
    from robot_vision.replay.jobs.options import name_bags
    from robot_vision.replay.jobs.progress import run_with_bar

    todo = [
        replace(shared, name=name, path=path, out=out / name if out else None)
        for name, path in name_bags(bags)
    ]
    return run_with_bar(todo, workers=workers, ray=ray, resume=resume)


def _judge(
    bags: list[Path],
    policy: str,
    how: "JudgeOptions",
    *,
    golden: Path | None,
    update: bool,
) -> NoReturn:
    """Run a dataset through a policy; exit status 0 if its answers match the golden file."""
    from robot_vision.policies.registry import load_policy
    from robot_vision.replay.judging.golden import differences, load_golden, save_golden
    from robot_vision.replay.judging.judge import judge
    from robot_vision.terminal import Screen, styled

    if len(bags) != 1:
        raise ConfigError(f"--policy takes one dataset; got {len(bags)}")
    loaded = load_policy(policy, threads=1)
    compared = golden is not None and not update
    # Do not wait for the answers of a policy that does not match.
    known = load_golden(golden, identity=loaded.manifest.identity) if golden and compared else None
    found, console = judge(bags[0], loaded, how), Screen()
    rows = [row for answers in found.episodes.values() for row in answers.rows]
    console.print(f"{found.policy_id}, identity {found.identity}")
    console.print(f"{len(found.episodes)} episodes, {len(rows)} rows")
    for reason, count in Counter(row for row in rows if isinstance(row, str)).most_common(5):
        console.print(styled(f"{count} rows hold: {reason}", "yellow"))
    if found.misplaced:
        number, words = next(iter(found.misplaced.items()))
        where = f"in {len(found.misplaced)} episodes; in episode {number}"
        console.print(styled(f"{where} {'; '.join(words)}", "yellow"))
    if found.latency_s:
        p50, p95 = (found.latency_s[name] * 1e3 for name in ("p50", "p95"))
        console.print(f"picture to action: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    if golden is not None and update:
        save_golden(golden, identity=found.identity, episodes=found.episodes)
        console.print(f"written: {golden}")
    wrong = [] if known is None else differences(known, found.episodes, is_all=not how.episodes)
    for line in wrong:
        console.print(styled(f"  {line}", "red"))
    if known is not None:
        console.print("fail" if wrong else "pass")
    raise typer.Exit(1 if wrong else 0)


def _list(bags: list[Path], *, config: Any, bag: Any) -> None:
    """List what would be used of each recording, and why; exit status 2 if one is rejected."""
    from robot_vision.core.errors import RobotVisionError
    from robot_vision.replay.jobs.listing import lines_of
    from robot_vision.terminal import Screen, styled

    console, status = Screen(), 0
    for path in bags:
        console.print(str(path), soft_wrap=True)
        try:
            for line in lines_of(path, config=config, bag=bag):
                console.print(f"  {line}", soft_wrap=True)
        except (RobotVisionError, OSError) as error:
            console.print(styled(f"  refused: {error}", "red"), soft_wrap=True)
            status = 2
    raise typer.Exit(status)


def _conclude(
    results: list[dict[str, Any]], *, out: Path | None, json: Path | None, golden: Path | None
) -> None:
    """Print table and verdict, write files, return the exit status; `golden` is written if
    given, `out` has the reports."""
    from robot_vision.replay.reporting.comparison.golden import save_golden
    from robot_vision.replay.reporting.comparison.verdict import (
        EXIT_STATUS,
        print_summary,
        verdict_of,
        write_json,
    )
    from robot_vision.terminal import Screen

    console = Screen()
    if out is not None:
        name = results[0]["bag"] if len(results) == 1 else "*"
        console.print(f"report: {out / name / 'report.html'}", soft_wrap=True)
    print_summary(console, results)
    if json is not None:
        write_json(json, results)
    if golden is not None:
        save_golden(golden, {r["bag"]: r["behaviour"] for r in results if "behaviour" in r})
        console.print(f"written: {golden}", soft_wrap=True)
    raise typer.Exit(EXIT_STATUS[verdict_of(results)])


def compare(
    before: Annotated[Path, typer.Argument(help="--json of one replay")],
    after: Annotated[Path, typer.Argument(help="--json of another")],
    everything: Annotated[bool, typer.Option("--all", help="also show equal figures")] = False,
) -> None:
    """Compare two replays of the same bags. Exit status 1 if beyond golden tolerances."""
    from robot_vision.replay.reporting.comparison.compare import compare_files, print_comparison
    from robot_vision.terminal import Screen

    comparisons = compare_files(before, after)
    print_comparison(Screen(), comparisons, everything=everything)
    raise typer.Exit(int(any(c.drifts for c in comparisons)))


def record(
    folder: Annotated[Path, typer.Argument(help="new folder for the recording")],
    node: Annotated[str, typer.Option(help="node whose inputs and outputs are recorded")] = (
        "/perception"
    ),
    exclude: Annotated[
        str, typer.Option(help="pattern of topics to leave out; subscribed outputs are computed")
    ] = "/overlay|/features|/points",
    max_disk_gb: Annotated[
        float, typer.Option(help="total size beyond which the oldest files are deleted", min=0.01)
    ] = 10.0,
    split_mb: Annotated[float, typer.Option(help="size of each file", min=1)] = 512.0,
    buffer_mb: Annotated[
        float, typer.Option(help="size of the write buffer; data beyond is dropped", min=1)
    ] = 256.0,
    duration: Annotated[
        float, typer.Option(help="duration in seconds; 0: until Ctrl-C", min=0)
    ] = 0.0,
) -> None:
    """Record a running node's inputs and outputs to MCAP, for `replay`. Needs ROS 2."""
    from robot_vision.ros.tools.recorder import record as record_node
    from robot_vision.terminal import Screen, styled

    console = Screen(stderr=True)
    recorder = record_node(
        folder,
        target=node,
        exclude=exclude,
        split_bytes=round(split_mb * 1e6),
        max_bytes=round(max_disk_gb * 1e9),
        buffer_bytes=round(buffer_mb * 1e6),
        duration_s=duration,
        log=console.print,
    )
    for topic in recorder.topics:
        lost = f", {recorder.dropped[topic]} dropped" if recorder.dropped[topic] else ""
        console.print(f"{topic}: {recorder.counts[topic]} messages{lost}")
    if recorder.failure or not recorder.counts:
        reason = recorder.failure or f"no messages from or to {node}: is it running?"
        console.print(styled(reason, "red"))
        raise typer.Exit(2)


def register(app: typer.Typer) -> None:
    """Add these commands to `robot-vision`."""
    app.command()(replay)
    app.command()(compare)
    app.command()(record)
