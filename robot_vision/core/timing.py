"""Measuring: how long a stage took, and percentiles over the recent past."""

from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import perf_counter
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """A named interval from `start_s` to `end_s`, on `perf_counter`."""

    name: str
    start_s: float
    end_s: float


# Per thread that records spans; nearly always None, which costs one look-up.
_kept: ContextVar[list[Span] | None] = ContextVar("spans", default=None)


@contextmanager
def timed(
    stage_s: MutableMapping[str, float], stage: str, *, since_s: float | None = None
) -> Iterator[None]:
    """Add the duration of the block to `stage_s[stage]`; `since_s` is its start."""
    start_s = perf_counter() if since_s is None else since_s
    try:
        yield
    finally:
        end_s = perf_counter()
        stage_s[stage] = stage_s.get(stage, 0.0) + end_s - start_s
        kept = _kept.get()
        if kept is not None:
            kept.append(Span(stage, start_s, end_s))


def add_times(stage_s: MutableMapping[str, float], others_s: Mapping[str, float]) -> None:
    """Add the durations of `others_s` to those of the same stages."""
    for stage, seconds in others_s.items():
        stage_s[stage] = stage_s.get(stage, 0.0) + seconds


@contextmanager
def spans_kept() -> Iterator[list[Span]]:
    """Record start and end of each stage timed within the block, in this thread."""
    spans: list[Span] = []
    token = _kept.set(spans)
    try:
        yield spans
    finally:
        _kept.reset(token)


def span(name: str) -> AbstractContextManager[None]:
    """Part of a stage: recorded if spans are being recorded, otherwise free."""
    return nullcontext() if _kept.get() is None else timed({}, name)


class Percentiles:
    """The last `size` values of a quantity, and their percentiles."""

    def __init__(self, size: int = 600) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        self._values.append(value)

    def __len__(self) -> int:
        return len(self._values)

    def summary(self) -> dict[str, float]:
        """`p50`, `p95`, `p99` and `max` of the values kept; empty if there are none."""
        if not self._values:
            return {}
        values = np.fromiter(self._values, dtype=np.float64)
        p50, p95, p99 = np.percentile(values, [50, 95, 99])
        return {
            "p50": float(p50),
            "p95": float(p95),
            "p99": float(p99),
            "max": float(values.max()),
        }
