"""Lost and degraded frames, counted by cause: the figures of /diagnostics and the logs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from robot_vision.core.files.foreign import LONGEST_LINE, brief
from robot_vision.core.timing import Percentiles

_MOST_CAUSES = 100
_OTHERS = "other causes"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why frames were lost or degraded: how often in total and since the last report."""

    total: int
    recent: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """State of the service between two reports. Rates are per second, stage times in seconds."""

    input_hz: Mapping[str, float]
    output_hz: float
    outputs: int
    drops: Mapping[str, Cause]
    notes: Mapping[str, Cause]
    stage_s: Mapping[str, Mapping[str, float]]
    quiet_s: Mapping[str, float]
    output_quiet_s: float


class Health:
    """Thread-safe record. `quiet_s` of a topic counts from its last message, or from `start`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._drops = _Causes()
        self._notes = _Causes()
        self._stages: dict[str, Percentiles] = {}
        self._arrivals: Counter[str] = Counter()
        self._reported_arrivals: Counter[str] = Counter()
        self._outputs = self._reported_outputs = 0
        self._reported_at_s = monotonic()
        self._last_at_s: dict[str, float] = {}
        self._last_output_at_s = monotonic()

    def start(self, topics: tuple[str, ...]) -> None:
        """Begin to listen: silence is counted from now on."""
        with self._lock:
            self._last_at_s = dict.fromkeys(topics, monotonic())
            self._last_output_at_s = monotonic()

    def arrived(self, topic: str) -> None:
        with self._lock:
            self._arrivals[topic] += 1
            self._last_at_s[topic] = monotonic()

    def dropped(self, cause: str, example: str = "") -> bool:
        """Count a lost frame; returns whether it is the first one for this cause."""
        with self._lock:
            return self._drops.add(cause, example)

    def noted(self, cause: str, example: str = "") -> bool:
        """Count a degraded frame; returns whether it is the first one for this cause."""
        with self._lock:
            return self._notes.add(cause, example)

    def finished(self, stage_s: Mapping[str, float]) -> None:
        """Count a published frame; `stage_s` has the time of each stage, and the `age`."""
        with self._lock:
            self._outputs += 1
            self._last_output_at_s = monotonic()
            for stage, seconds in stage_s.items():
                self._stages.setdefault(stage, Percentiles()).add(seconds)

    def report(self) -> Report:
        """The state now; `recent` counts and rates start again from zero."""
        with self._lock:
            now_s = monotonic()
            elapsed_s = max(now_s - self._reported_at_s, 1e-6)
            input_hz = {
                topic: (self._arrivals[topic] - self._reported_arrivals[topic]) / elapsed_s
                for topic in self._last_at_s
            }
            report = Report(
                input_hz=input_hz,
                output_hz=(self._outputs - self._reported_outputs) / elapsed_s,
                outputs=self._outputs,
                drops=self._drops.take(),
                notes=self._notes.take(),
                stage_s={stage: values.summary() for stage, values in self._stages.items()},
                quiet_s={topic: now_s - at_s for topic, at_s in self._last_at_s.items()},
                output_quiet_s=now_s - self._last_output_at_s,
            )
            self._reported_arrivals = self._arrivals.copy()
            self._reported_outputs = self._outputs
            self._reported_at_s = now_s
            return report


class _Causes:
    """Bounded, because causes and examples may contain untrusted text."""

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._recent: Counter[str] = Counter()
        self._example: dict[str, str] = {}

    def add(self, cause: str, example: str) -> bool:
        cause, example = brief(cause, most=LONGEST_LINE), brief(example, most=LONGEST_LINE)
        if cause not in self._total and len(self._total) >= _MOST_CAUSES:
            cause, example = _OTHERS, brief(f"{cause}: {example}", most=LONGEST_LINE)
        self._total[cause] += 1
        self._recent[cause] += 1
        self._example[cause] = example
        return self._total[cause] == 1

    def take(self) -> dict[str, Cause]:
        causes = {
            cause: Cause(total=total, recent=self._recent[cause], example=self._example[cause])
            for cause, total in self._total.items()
        }
        self._recent.clear()
        return causes
