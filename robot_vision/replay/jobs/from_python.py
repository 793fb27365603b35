"""A recording from Python: its frames, or a replay of it with a typed result."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.jobs.options import name_bags
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.frames import Intrinsics, decode
from robot_vision.replay.reading.sources import open_source
from robot_vision.replay.reporting.comparison.figure_drift import Drift
from robot_vision.replay.reporting.comparison.verdict import print_summary
from robot_vision.replay.running.runner import RunOptions, between
from robot_vision.terminal import Screen

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """What `robot-vision replay` prints of a recording; `print` shows it as it does.

    `verdict` is "regression" where `drifts` from the golden file are beyond its tolerances.
    `problems` counts what was wrong with the input by kind, `dropped` frames by cause. `details`
    is all of `--json`: figures, behaviour, input, run and configuration.
    """

    name: str
    verdict: Literal["pass", "regression"]
    frames: int
    duration_s: float
    times_real_time: float
    digest: str
    detections_by_class: Mapping[str, int]
    tracks_by_class: Mapping[str, int]
    id_switches: int
    drifts: tuple[Drift, ...]
    problems: Mapping[str, int]
    dropped: Mapping[str, int]
    details: Mapping[str, Any]

    @property
    def tracks(self) -> int:
        """Tracks that were confirmed."""
        return sum(self.tracks_by_class.values())

    def __str__(self) -> str:
        printed = StringIO()
        print_summary(Screen(file=printed), [dict(self.details)])
        return printed.getvalue().rstrip()


def replay(
    recording: str | Path,
    *,
    model: str | Path = "native-s",
    parameters: Mapping[str, Any] | None = None,
    rgb_topic: str = "",
    depth_topic: str = "",
    info_topic: str = "",
    intrinsics_px: Intrinsics | None = None,
    from_s: float = 0.0,
    to_s: float = float("inf"),
    out: str | Path | None = None,
    golden: str | Path | None = None,
) -> ReplayResult:
    """Replay a bag, dataset, video or folder of images through the live pipeline.

    As `robot-vision replay`, whose options have these names: `out` is a folder for report, MCAP
    and tracks, `golden` a file to compare with, `parameters` are the node's by dotted name.
    Topics are found by type where none is given; `intrinsics_px` (fx, fy, cx, cy) replaces
    camera_info. Raises `RobotVisionError` where nothing could be replayed.
    """
    given = dict(parameters or {})
    if "model" in given:
        raise ConfigError(f"parameters has model {given['model']!r}; give it as model=…")
    config = with_values(NodeConfig(), {"model": str(model), **given})
    ((name, path),) = name_bags([Path(recording)])
    job = Job(
        name=name,
        path=path,
        config=config,
        run=RunOptions(from_s=from_s, to_s=to_s, intrinsics_px=intrinsics_px),
        bag=BagOptions(
            topics=Topics(rgb=rgb_topic, depth=depth_topic, info=info_topic),
            target_frame=config.target_frame,
        ),
        out=None if out is None else Path(out),
        golden=None if golden is None else Path(golden),
    )
    found = run_job(job)
    if found["status"] == "failed":
        raise RobotVisionError(found["error"])
    return _result(found)


def frames(
    recording: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    rgb_topic: str = "",
    depth_topic: str = "",
    info_topic: str = "",
    intrinsics_px: Intrinsics | None = None,
    from_s: float = 0.0,
    to_s: float = float("inf"),
) -> Iterator[Frame]:
    """Frames of a bag, dataset, video or folder of images, in the order of their stamps.

    The arguments are those of `replay`; only `parameters` of reading have an effect, for example
    `depth.raw_unit_m`. What cannot be read is left out, and logged as warnings when the iteration
    ends.
    """
    config = with_values(NodeConfig(), dict(parameters or {}))
    topics = Topics(rgb=rgb_topic, depth=depth_topic, info=info_topic)
    options = BagOptions(topics=topics, target_frame=config.target_frame)
    run = RunOptions(from_s=from_s, to_s=to_s, intrinsics_px=intrinsics_px)
    source = open_source(Path(recording), config=config, options=options)
    problems = source.health.problems
    try:
        for raw in between(source.raw_frames(), run):
            frame = decode(raw, problems, intrinsics_px=intrinsics_px)
            if frame is not None:
                yield frame
    finally:
        for kind, seen in problems.as_dict().items():
            _log.warning("%s: %s (%d×), first: %s", recording, kind, seen["count"], seen["first"])


def _result(found: dict[str, Any]) -> ReplayResult:
    figures, run = found["figures"], found["run"]
    problems = found["input"]["problems"]
    return ReplayResult(
        name=found["bag"],
        verdict=found["status"],
        frames=figures["frames"],
        duration_s=figures["duration_s"],
        times_real_time=run["times_real_time"],
        digest=figures["digest"],
        detections_by_class=figures["detections_by_class"],
        tracks_by_class=figures["tracks_by_class"],
        id_switches=len(figures["id_switches"]),
        drifts=tuple(Drift(**drift) for drift in found["drifts"]),
        problems={kind: seen["count"] for kind, seen in problems.items()},
        dropped=run["dropped"],
        details=found,
    )
