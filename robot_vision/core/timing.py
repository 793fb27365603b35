"""Measuring: how long a stage took, and percentiles over the recent past."""

from collections import deque
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from time import perf_counter

import numpy as np


@contextmanager
def timed(stage_s: MutableMapping[str, float], stage: str) -> Iterator[None]:
    """Add the time that the block takes to `stage_s[stage]`."""
    start_s = perf_counter()
    try:
        yield
    finally:
        stage_s[stage] = stage_s.get(stage, 0.0) + perf_counter() - start_s


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
