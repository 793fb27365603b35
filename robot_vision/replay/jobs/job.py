"""Replays one bag: the unit that runs in this process, in another one, or on a cluster."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import isinf
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.disk import DiskFullError, writing_to
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import flatten
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.frames import FrameSource
from robot_vision.replay.reading.sources import open_source
from robot_vision.replay.reporting.comparison.golden import behaviour_of, check, golden_for
from robot_vision.replay.reporting.replay_summary import Figures
from robot_vision.replay.running.runner import RunCounts, RunOptions, run
from robot_vision.replay.writing.outputs import Images, TracksFormat, open_outputs

Status = Literal["pass", "regression", "failed"]
Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to replay and what to write. `out` is the bag's own folder; None writes nothing."""

    name: str
    path: Path
    config: ServiceConfig
    run: RunOptions = field(default_factory=RunOptions)
    bag: BagOptions = field(default_factory=BagOptions)
    out: Path | None = None
    images: Images = "depth"
    points: bool = False
    tracks_format: TracksFormat = "csv"
    golden: Path | None = None


def no_progress(done: float, text: str) -> None:
    """Used without a progress display."""


def run_job(job: Job, *, progress: Progress = no_progress) -> dict[str, Any]:
    """Replay a bag and judge it; failures are in the result, not raised.

    The result has `status`, `error`, `drifts`, `figures`, `behaviour`, `input` and `run`.
    """
    start_s = perf_counter()
    result: dict[str, Any] = {"bag": job.name, "path": str(job.path), "error": "", "drifts": []}
    try:
        # A golden file that cannot decide is reported before the replay, not after it.
        golden = None if job.golden is None else golden_for(job.golden, bag=job.name)
        result |= _replay(job, progress)
        drifts = []
        if golden is not None:
            drifts = check(golden, bag=job.name, behaviour=result["behaviour"])
        result["drifts"] = [asdict(drift) for drift in drifts]
        result["status"] = "regression" if drifts else "pass"
    except (RobotVisionError, OSError) as error:
        result |= {"status": "failed", "error": f"{error}"}
    except Exception as error:  # boundary: the failure of one bag never stops the others
        result |= {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    result["wall_s"] = perf_counter() - start_s
    if job.out is not None:
        try:
            with writing_to(job.out / "summary.json"):
                _write_results(job.out, result)
        except DiskFullError as error:
            result |= {"status": "failed", "error": result["error"] or str(error)}
    return result


def _replay(job: Job, progress: Progress) -> dict[str, Any]:
    source = open_source(job.path, config=job.config, options=job.bag)
    pipeline = build_pipeline(job.config)
    figures, counts = Figures(), RunCounts()
    start_s = perf_counter()
    with open_outputs(
        job.out,
        images=job.images,
        tracks_format=job.tracks_format,
        points=job.config.points if job.points else None,
    ) as outputs:
        for done in run(source, pipeline, options=job.run, counts=counts):
            new_ids = figures.add(done)
            outputs.add(done, new_ids=new_ids, switches=figures.tracks.switches)
            progress(source.done, f"{done.number + 1} frames")
    run_s = perf_counter() - start_s
    provider = pipeline.perceiver.provider
    pipeline.perceiver.close()
    if counts.processed == 0:
        why = _why_none(source, counts, job.run)
        raise RobotVisionError(f"{job.path}: no frame could be replayed ({why})")
    values = figures.as_dict()
    return {
        "figures": values,
        "behaviour": behaviour_of(values),
        "input": source.health.as_dict(),
        "run": {
            # Not by asdict, which counts the pairs of a Counter.
            **vars(counts),
            "dropped": dict(counts.dropped),
            "rate": job.run.rate,
            "run_s": run_s,
            "frames_per_s": counts.processed / run_s,
            "times_real_time": values["duration_s"] / run_s,
            "provider": provider,
        },
        "config": flatten(job.config),
        "thumbnails": outputs.thumbnails(),
    }


def _why_none(source: FrameSource, counts: RunCounts, options: RunOptions) -> str:
    has_images = any(stream.count for stream in source.health.streams if stream.kind == "rgb")
    if has_images and counts.read == 0 and options.from_s > 0:
        until = "" if isinf(options.to_s) else f" to {options.to_s:g} s"
        return f"it has no colour image from {options.from_s:g} s{until} after the first"
    return str(source.health.problems) or "it is empty"


def _write_results(out: Path, result: dict[str, Any]) -> None:
    from robot_vision.replay.reporting.report import write_report

    out.mkdir(parents=True, exist_ok=True)
    write_report(out / "report.html", result)
    result.pop("thumbnails", None)
    partial = out / "summary.json.partial"
    partial.write_text(json.dumps(result, indent=1))
    partial.replace(out / "summary.json")
