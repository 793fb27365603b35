"""Frames of a running node: the stages that add up to their age, and a trace file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.results.frame_trace import AGE, FrameTrace
from robot_vision.profiling.trace_file import slice_event, write_trace

_ON_THE_WAY = ("transport", "wait")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Milliseconds of a stage over frames; 0 for frames without it. `share` is of the age."""

    name: str
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    share: float


@dataclass(frozen=True, kw_only=True)
class LiveProfile:
    """`unaccounted_p50` and `_p95`: the part of a frame's age outside all stages."""

    frames: int
    stages: list[Stage]
    age: Stage
    unaccounted_p50: float
    unaccounted_p95: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(traces: Sequence[FrameTrace]) -> LiveProfile:
    """Stages in the order in which they run."""
    names = dict.fromkeys(name for trace in traces for name in trace.stage_ms if name != AGE)
    ages = np.array([trace.age_ms for trace in traces])
    left = np.array([abs(trace.unaccounted_ms) for trace in traces]) / np.maximum(ages, 1e-9)
    stages = [
        _stage(name, np.array([trace.stage_ms.get(name, 0.0) for trace in traces]), ages)
        for name in names
    ]
    return LiveProfile(
        frames=len(traces),
        stages=stages,
        age=_stage(AGE, ages, ages),
        unaccounted_p50=float(np.percentile(left, 50)),
        unaccounted_p95=float(np.percentile(left, 95)),
    )


def write_live_trace(file: Path, traces: Sequence[FrameTrace], *, node: str) -> None:
    """All frames on one time line: each frame in transit in its own lane, and the worker.

    Time begins with the first stamp.
    """
    origin_ns = min(trace.stamp_ns for trace in traces)
    events, lanes = [], {0: "worker"}
    busy_until_s: list[float] = []
    for trace in sorted(traces, key=lambda one: one.stamp_ns):
        stamp_s = (trace.stamp_ns - origin_ns) / 1e9
        lane = _free_lane(busy_until_s, stamp_s)
        lanes[lane] = f"on the way {lane}"
        for name, begin_ms, end_ms in trace.spans:
            is_before = name in _ON_THE_WAY
            start_s, end_s = stamp_s + begin_ms / 1e3, stamp_s + end_ms / 1e3
            if is_before:
                busy_until_s[lane - 1] = max(busy_until_s[lane - 1], end_s)
            args = {"stamp_ns": trace.stamp_ns, "age_ms": trace.age_ms}
            events.append(
                slice_event(
                    name, start_s=start_s, end_s=end_s, lane=lane if is_before else 0, args=args
                )
            )
    write_trace(file, events, names={0: node}, lanes=lanes)


def _free_lane(busy_until_s: list[float], start_s: float) -> int:
    """The first free lane, from 1, or a new one."""
    for row, until_s in enumerate(busy_until_s):
        if until_s <= start_s:
            return row + 1
    busy_until_s.append(start_s)
    return len(busy_until_s)


def _stage(name: str, ms: np.ndarray, ages: np.ndarray) -> Stage:
    p50, p95, p99 = (float(np.percentile(ms, share)) for share in (50, 95, 99))
    return Stage(
        name=name,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        mean_ms=float(ms.mean()),
        share=float(ms.sum() / ages.sum()) if ages.sum() else 0.0,
    )
