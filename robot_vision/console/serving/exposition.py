"""`/metrics`: the same figures for Prometheus, collected on each scrape."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from robot_vision.console.serving.stream import Viewers
from robot_vision.console.state.history import BUCKETS_S, MOST_NAMES, Histogram, History

PREFIX = "robot_vision_"
_OTHERS = "others"


class Exposition:
    """Collects from the views; keeps only names, no figures."""

    def __init__(self, viewers: Viewers, history: History) -> None:
        self._viewers = viewers
        self._history = history
        self._names: dict[str, set[str]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Empty: names depend on the data."""
        return []

    def collect(self) -> Iterable[Metric]:
        state = self._viewers.state()
        yield self._ages()
        yield _counter("results", "frames whose result was published", self._history.results)
        yield self._labelled(
            CounterMetricFamily(f"{PREFIX}drops", "frames lost, by cause", labels=["cause"]),
            {count.cause: count.total for count in state.drops},
        )
        yield self._labelled(
            CounterMetricFamily(
                f"{PREFIX}degraded", "frames served with degraded results", labels=["cause"]
            ),
            {count.cause: count.total for count in state.degraded},
        )
        yield self._labelled(
            GaugeMetricFamily(f"{PREFIX}rate_hertz", "messages per second", labels=["topic"]),
            state.rates_hz,
        )
        memory = {"console": state.memory.console_mb, "perception": state.memory.perception_mb}
        yield self._labelled(
            GaugeMetricFamily(f"{PREFIX}memory_bytes", "resident memory", labels=["process"]),
            {process: mb * 1e6 for process, mb in memory.items() if mb is not None},
        )
        yield self._labelled(
            CounterMetricFamily(
                f"{PREFIX}unusable", "invalid messages on topics", labels=["topic"]
            ),
            state.unusable,
        )
        live = float(state.camera.status == "live")
        yield GaugeMetricFamily(f"{PREFIX}frames_flow", "1 while frames flow", live)
        yield GaugeMetricFamily(f"{PREFIX}viewers", "clients of the stream", state.viewers)
        yield self._labelled(
            CounterMetricFamily(
                f"{PREFIX}stream_drops", "messages not sent to slow viewers", labels=["topic"]
            ),
            self._viewers.dropped,
        )
        if state.policy is not None:
            enabled = float(state.policy.enabled)
            yield GaugeMetricFamily(f"{PREFIX}policy_enabled", "1 while enabled", enabled)
            holding = float(state.policy.holding)
            yield GaugeMetricFamily(f"{PREFIX}policy_holding", "1 while it holds", holding)
            yield self._labelled(
                CounterMetricFamily(
                    f"{PREFIX}interventions",
                    "interventions of the safety filter",
                    labels=["limit"],
                ),
                state.policy.interventions,
            )

    def _labelled(self, family: Metric, values: Mapping[str, float]) -> Metric:
        """Names come from topics: a limited number become series, the rest are summed up in
        one."""
        known = self._names.setdefault(family.name, set())
        summed: dict[str, float] = {}
        for label, value in values.items():
            if len(known) < MOST_NAMES:
                known.add(label)
            shown = label if label in known else _OTHERS
            summed[shown] = summed.get(shown, 0.0) + value
        for label, value in summed.items():
            family.add_metric([label], value)  # pyright: ignore[reportAttributeAccessIssue]
        return family

    def _ages(self) -> Metric:
        family = HistogramMetricFamily(
            f"{PREFIX}stage_seconds",
            "time of each stage of a frame; stage age spans from its stamp to its result",
            labels=["stage"],
        )
        for stage, histogram in list(self._history.histograms.items()):
            family.add_metric([stage], _cumulative(histogram), histogram.sum_s)
        return family


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), histogram.counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}{name}", words, value)
