"""Results over time: percentiles, one point per second, actions and running totals.

Fed from the queues of `Snapshots` by the console's threads, never by the pipeline's.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TypeVar

import numpy as np

from robot_vision.console.schema import ActionPoint, Diagnosis, SecondOfFrames, Spread
from robot_vision.console.state.admission import COUNTS, count_of, number_of
from robot_vision.console.state.snapshots import ResultTimes, Said, Snapshots
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.core.timing import Percentiles

T = TypeVar("T")

# Most names of stages, causes or topics; further ones are ignored.
MOST_NAMES = 64
KEPT_SECONDS = 300
KEPT_ACTIONS = 3000
DROPPED, DEGRADED = COUNTS
# Upper ends of the buckets of ages and stages, in seconds.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0)
_RATE_S = 2.0
_RECENT = 600


class Histogram:
    """Counts per bucket and their sum, as Prometheus expects them."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class History:
    """Thread-safe. `settle` takes in what is queued in the snapshots; views call it first."""

    def __init__(self, snapshots: Snapshots, *, gap_s: float) -> None:
        self._snapshots = snapshots
        self._gap_s = gap_s
        self._lock = Lock()
        self._recent: dict[str, Percentiles] = {}
        self._arrivals: deque[float] = deque(maxlen=_RECENT)
        self._second: list[ResultTimes] = []
        self._seconds: deque[tuple[int, SecondOfFrames]] = deque(maxlen=KEPT_SECONDS)
        self._actions: deque[tuple[int, ActionPoint]] = deque(maxlen=KEPT_ACTIONS)
        self._numbers = [0, 0]
        self._reported_drops: dict[str, int] = {}
        self._drops: dict[str, int] = {}
        self._input_hz: dict[str, float] = {}
        self._commands: Said | None = None
        self._interventions: dict[str, int] = {}
        self.histograms: dict[str, Histogram] = {}
        self.results = 0
        self.live_since_s: float | None = None
        self.last_result_s: float | None = None

    def settle(self) -> None:
        """Take in all that came since the last call."""
        with self._lock:
            reports, results, said = (
                self._snapshots.reports,
                self._snapshots.results,
                self._snapshots.said,
            )
            while reports:
                self._take_report(reports.popleft()[1])
            while results:
                self._take_result(results.popleft())
            while said:
                self._take_status(said.popleft())

    def spreads_ms(self) -> dict[str, Spread]:
        """Percentiles of each stage in milliseconds, over the last frames, `age` last."""
        with self._lock:
            stages = sorted(self._recent, key=lambda stage: stage == "age")
            return {stage: _spread_ms(self._recent[stage].summary()) for stage in stages}

    def output_hz(self, now_s: float) -> float:
        """Results per second in the last two seconds."""
        with self._lock:
            recent = sum(now_s - at_s <= _RATE_S for at_s in self._arrivals)
            return recent / _RATE_S

    def period_s(self) -> float:
        """The median time between the last results; 0 while there are too few."""
        with self._lock:
            last = list(self._arrivals)[-10:]
        return float(np.median(np.diff(last))) if len(last) > 2 else 0.0

    def seconds_after(self, number: int) -> tuple[int, list[SecondOfFrames]]:
        """Points with a higher number than `number`, and the highest number there is."""
        with self._lock:
            return self._numbers[0], [point for n, point in self._seconds if n > number]

    def actions_after(self, number: int) -> tuple[int, list[ActionPoint]]:
        with self._lock:
            return self._numbers[1], [point for n, point in self._actions if n > number]

    def _take_report(self, diagnosis: Diagnosis) -> None:
        _take_in(self._reported_drops, counts_of(diagnosis.values, DROPPED))
        _take_in(self._input_hz, rates_of(diagnosis.values))

    def _take_result(self, result: ResultTimes) -> None:
        self.results += 1
        gap_s = self._gap_s if self.last_result_s is None else result.at_s - self.last_result_s
        if gap_s >= max(self._gap_s, 0.0) or self.live_since_s is None:
            self.live_since_s = result.at_s
        self.last_result_s = result.at_s
        self._arrivals.append(result.at_s)
        for stage, seconds in result.stage_s.items():
            if stage not in self._recent and len(self._recent) >= MOST_NAMES:
                continue
            self._recent.setdefault(stage, Percentiles(_RECENT)).add(seconds)
            self.histograms.setdefault(stage, Histogram()).add(seconds)
        if self._second and int(result.wall_s) != int(self._second[0].wall_s):
            self._close_second()
        self._second.append(result)

    def _close_second(self) -> None:
        """Make a point of one second's frames; drops are those reported since the last point."""
        drops = {
            cause: total - self._drops.get(cause, 0)
            for cause, total in self._reported_drops.items()
            if total > self._drops.get(cause, 0)
        }
        self._drops = dict(self._reported_drops)
        point = SecondOfFrames(
            at_s=float(int(self._second[0].wall_s)),
            age_ms=_spreads_ms([result.stage_s for result in self._second]),
            rates_hz=self._rates_hz(),
            drops=drops,
        )
        self._second.clear()
        self._numbers[0] += 1
        self._seconds.append((self._numbers[0], point))

    def _rates_hz(self) -> dict[str, float]:
        """Rates of the second that ends; a policy that has been silent has none."""
        rates, said = dict(self._input_hz), self._commands
        if said is not None and self._second[-1].wall_s - said.wall_s < _RATE_S:
            rates["command"] = said.status.command_hz or 0.0
        rates["output"] = float(len(self._second))
        return rates

    def _take_status(self, said: Said) -> None:
        status, self._commands = said.status, said
        point = ActionPoint(
            at_s=said.wall_s,
            action=None if status.action is None else list(status.action),
            holding=status.holding,
            enabled=status.enabled,
            interventions=self._new_interventions(status),
        )
        self._numbers[1] += 1
        self._actions.append((self._numbers[1], point))

    def _new_interventions(self, status: PolicyStatus) -> list[str]:
        known, self._interventions = self._interventions, dict(status.interventions)
        return [limit for limit, n in status.interventions.items() if n > known.get(limit, 0)]


def _take_in(known: dict[str, T], news: Mapping[str, T]) -> None:
    """Store newer values, of `MOST_NAMES` names at most."""
    for name, value in news.items():
        if name in known or len(known) < MOST_NAMES:
            known[name] = value


def counts_of(values: Mapping[str, str], prefix: str) -> dict[str, int]:
    """The counts among the values of a diagnosis whose keys begin with `prefix`."""
    counts = {
        key.removeprefix(prefix): count_of(value)
        for key, value in values.items()
        if key.startswith(prefix)
    }
    return {cause: count for cause, count in counts.items() if count is not None}


def rates_of(values: Mapping[str, str]) -> dict[str, float]:
    """The rates among the values of a diagnosis, by topic, without those that are not numbers."""
    rates = {
        key.removesuffix("_hz"): number_of(value)
        for key, value in values.items()
        if key.endswith("_hz")
    }
    return {topic: rate for topic, rate in rates.items() if rate is not None}


def _spreads_ms(frames: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    stages = list(dict.fromkeys(stage for stage_s in frames for stage in stage_s))
    spreads: dict[str, Spread] = {}
    for stage in stages:
        values = Percentiles(len(frames))
        for stage_s in frames:
            if stage in stage_s:
                values.add(stage_s[stage])
        spreads[stage] = _spread_ms(values.summary())
    return spreads


def _spread_ms(summary_s: Mapping[str, float]) -> Spread:
    return Spread(**{name: round(seconds * 1e3, 3) for name, seconds in summary_s.items()})
