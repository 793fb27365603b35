"""`bench pipeline`: frames through the pipeline in this process, without ROS."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import psutil

from robot_vision.bench.stages import overhead_ms, percentiles_ms
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.machine import describe_machine
from robot_vision.pipeline import build_pipeline

_WARM_UP_FRAMES = 10


def bench_pipeline(
    config: ServiceConfig, frames: Sequence[Frame], *, count: int
) -> dict[str, Any]:
    """Process `count` frames one after another, as fast as possible (30 FPS by their stamps)."""
    pipeline = build_pipeline(config)
    rows: list[dict[str, float]] = []
    rss_start_mb, started_s, cpu_start_s = 0.0, 0.0, 0.0
    for k in range(count + _WARM_UP_FRAMES):
        if k == _WARM_UP_FRAMES:
            rss_start_mb, cpu_start_s, started_s = _rss_mb(), _cpu_s(), perf_counter()
        frame = replace(frames[k % len(frames)], stamp_ns=(k + 1) * NS_PER_S // 30)
        begin_s = perf_counter()
        stage_s = pipeline.process(frame).stage_s
        row = {stage: seconds * 1e3 for stage, seconds in stage_s.items()}
        row["whole"] = (perf_counter() - begin_s) * 1e3
        row["all but inference"] = overhead_ms(row, whole="whole")
        if k >= _WARM_UP_FRAMES:
            rows.append(row)
    elapsed_s = perf_counter() - started_s
    return {
        "bench": "pipeline",
        "machine": describe_machine(),
        "model": pipeline.perceiver.model_id,
        "provider": pipeline.perceiver.provider,
        "image": f"{frames[0].rgb.shape[1]}×{frames[0].rgb.shape[0]}",
        "frames": count,
        "frames_per_s": round(count / elapsed_s, 1),
        "cpu_percent": round(100 * (_cpu_s() - cpu_start_s) / elapsed_s, 1),
        "rss_start_mb": round(rss_start_mb, 1),
        "rss_end_mb": round(_rss_mb(), 1),
        "stage_ms": percentiles_ms(rows),
    }


def _rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _cpu_s() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system
