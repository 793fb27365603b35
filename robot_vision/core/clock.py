"""Time is injected: stamps drive tracking and staleness, wall time only measures."""

import time
from typing import Protocol, runtime_checkable

NS_PER_S = 1_000_000_000


@runtime_checkable
class Clock(Protocol):
    """Source of the current time, in nanoseconds since the epoch of the stamps."""

    def now_ns(self) -> int: ...


class SystemClock:
    """Wall clock of this machine."""

    def now_ns(self) -> int:
        return time.time_ns()


class ManualClock:
    """Clock that moves only when told: for replay and tests."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance_s(self, seconds: float) -> None:
        self._now_ns += round(seconds * NS_PER_S)

    def set_ns(self, now_ns: int) -> None:
        self._now_ns = now_ns


def seconds_between(earlier_ns: int, later_ns: int) -> float:
    """Seconds from `earlier_ns` to `later_ns` (negative if time went back)."""
    return (later_ns - earlier_ns) / NS_PER_S
