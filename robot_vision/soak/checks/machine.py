"""Resources of the processes (memory, threads, open files) and their growth."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.ledger import Ledger

_SEGMENT = re.compile(r"/dev/shm/fast(?:rtps|dds)_[0-9a-f]+")  # noqa: S108 - only compared with
_S_PER_H = 3600.0
_LEAST_SAMPLES = 8


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample of a process.

    `rss_mb` includes its children and shared memory: libraries, and the segments of Fast DDS,
    whose pages count once touched, up to 64 MB for each live one. `private_mb` is memory of this
    process only, where a leak would show. `segments` counts mapped shared-memory segments, which
    dead processes must not leave behind.
    """

    at_s: float
    rss_mb: float
    private_mb: float
    segments: int
    children: int
    threads: int
    files: int
    cpu_s: float


def look(pid: int, at_s: float) -> Sample | None:
    """Sample the process; None if it is gone."""
    try:
        process = psutil.Process(pid)
        memory = process.memory_info()
        children = process.children(recursive=True)
        rss = memory.rss
        for child in children:
            with suppress(psutil.Error):
                rss += child.memory_info().rss
        times = process.cpu_times()
        return Sample(
            at_s=round(at_s, 1),
            rss_mb=round(rss / 1e6, 2),
            private_mb=round((memory.rss - memory.shared) / 1e6, 2),
            segments=_segments(pid),
            children=len(children),
            threads=process.num_threads(),
            files=process.num_fds(),
            cpu_s=round(times.user + times.system, 2),
        )
    except (psutil.Error, OSError):
        return None


def _segments(pid: int) -> int:
    """Shared-memory segments of Fast DDS that a process has mapped."""
    with Path(f"/proc/{pid}/maps").open(encoding="utf-8") as lines:
        return len(set(_SEGMENT.findall(lines.read())))


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Of one process: slope of private memory after the warm-up, and growth of the other
    resources.

    The slope is None if the run is too short for one.
    """

    process: str
    slope_mb_per_h: float | None
    growth_mb: float
    segments: float
    children: float
    threads: float
    files: float


def growth(process: str, samples: Sequence[Sample], config: SoakConfig) -> Growth | None:
    """Growth of a process; None if there are too few samples."""
    if len(samples) < _LEAST_SAMPLES:
        return None
    late = [s for s in samples if s.at_s - samples[0].at_s >= config.warm_up_s]
    slope = None
    if len(late) >= _LEAST_SAMPLES and late[-1].at_s - late[0].at_s >= config.slope_span_s:
        fit = np.polyfit([s.at_s for s in late], [s.private_mb for s in late], 1)
        slope = round(float(fit[0]) * _S_PER_H, 3)
    quarter = len(samples) // 4
    early, end = samples[quarter : 2 * quarter], samples[-quarter:]

    def grown(name: str) -> float:
        values = (median(getattr(s, name) for s in part) for part in (early, end))
        before, after = values
        return round(after - before, 2)

    return Growth(
        process=process,
        slope_mb_per_h=slope,
        growth_mb=grown("private_mb"),
        segments=grown("segments"),
        children=grown("children"),
        threads=grown("threads"),
        files=grown("files"),
    )


def judge_growth(found: Growth, config: SoakConfig, ledger: Ledger) -> None:
    """Long runs are judged by the slope; short ones, still warming up, more generously."""
    name = found.process
    if found.slope_mb_per_h is not None:
        words = f"{name}: {found.slope_mb_per_h:+.2f} MB/h"
        ledger.check("memory", found.slope_mb_per_h < config.slope_mb_per_h, words)
    else:
        words = f"{name}: {found.growth_mb:+.1f} MB"
        ledger.check("memory", found.growth_mb < config.growth_mb, words)
    ledger.check("segments", found.segments <= config.segments, f"{name}: {found.segments:+g}")
    ledger.check("children", found.children <= config.children, f"{name}: {found.children:+g}")
    ledger.check("threads", found.threads <= config.threads, f"{name}: {found.threads:+g}")
    ledger.check("files", found.files <= config.files, f"{name}: {found.files:+g}")
