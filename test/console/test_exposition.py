"""`/metrics` and the history behind it: what Prometheus reads is what happened."""

import httpx
import pytest
from console_rig import console_rig, diagnosis, perceptions, wait_until
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from robot_vision.console.state.history import BUCKETS_S, Histogram, History
from robot_vision.console.state.snapshots import ResultTimes, Snapshots
from robot_vision.core.results.policy_status import PolicyStatus


def samples(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    response = httpx.get(f"{url}/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_every_frame_is_in_the_histograms_once() -> None:
    with console_rig(feed=False) as rig:
        for _ in range(25):
            rig.feeder.feed_one()
        exported = samples(rig.url)
    prefix = "robot_vision_stage_seconds"
    for stage in (*perceptions()[0].stage_s, "age"):
        labels = (("stage", stage),)
        assert exported[f"{prefix}_count", labels] == 25
    age = (("stage", "age"),)
    assert exported[f"{prefix}_sum", age] == pytest.approx(25 * 0.02)
    assert exported[f"{prefix}_bucket", (("le", "0.015"), *age)] == 0
    assert exported[f"{prefix}_bucket", (("le", "0.02"), *age)] == 25
    assert exported["robot_vision_results_total", ()] == 25
    assert exported["robot_vision_frames_flow", ()] == 1


def test_drops_rates_memory_and_policy_are_exported() -> None:
    with console_rig() as rig:
        rig.snapshots.diagnosed(
            [
                diagnosis(
                    "inputs",
                    "",
                    **{"rgb_hz": "29.5", "dropped: superseded": "7", "degraded: no depth": "2"},
                ),
                diagnosis("model", "", memory_rss_mb="321.5"),
            ]
        )
        rig.snapshots.policy_said(
            PolicyStatus(enabled=True, holding=False, interventions={"speed": 4}, command_hz=99.5)
        )
        wait_until(lambda: ("robot_vision_policy_enabled", ()) in samples(rig.url))
        exported = samples(rig.url)
    assert exported["robot_vision_drops_total", (("cause", "superseded"),)] == 7
    assert exported["robot_vision_degraded_total", (("cause", "no depth"),)] == 2
    assert exported["robot_vision_rate_hertz", (("topic", "rgb"),)] == 29.5
    assert exported["robot_vision_rate_hertz", (("topic", "command"),)] == 99.5
    assert exported["robot_vision_memory_bytes", (("process", "perception"),)] == 321.5e6
    assert exported["robot_vision_memory_bytes", (("process", "console"),)] > 1e7
    assert exported["robot_vision_interventions_total", (("limit", "speed"),)] == 4
    assert exported["robot_vision_policy_enabled", ()] == 1
    assert exported["robot_vision_policy_holding", ()] == 0


@given(st.lists(st.floats(0, 10), max_size=200))
def test_a_histogram_counts_each_value_in_the_bucket_that_holds_it(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    below = [sum(histogram.counts[: k + 1]) for k in range(len(BUCKETS_S))]
    assert below == [sum(v <= bound for v in values) for bound in BUCKETS_S]
    assert sum(histogram.counts) == len(values)
    assert histogram.sum_s == pytest.approx(sum(values))


@given(
    st.lists(st.floats(0.001, 3.0), min_size=2, max_size=60),
    st.lists(st.floats(0, 1), min_size=60, max_size=60),
)
def test_seconds_hold_every_frame_of_theirs(gaps_s: list[float], ages_s: list[float]) -> None:
    snapshots = Snapshots()
    history = History(snapshots, gap_s=0.6)
    wall_s, by_second = 1000.0, dict[int, list[float]]()
    for gap_s, age_s in zip(gaps_s, ages_s, strict=False):
        wall_s += gap_s
        snapshots.results.append(ResultTimes(at_s=wall_s, wall_s=wall_s, stage_s={"age": age_s}))
        by_second.setdefault(int(wall_s), []).append(age_s)
        history.settle()
    by_second.pop(int(wall_s))  # not over yet
    newest, points = history.seconds_after(0)
    assert {int(p.at_s): p.rates_hz["output"] for p in points} == {
        second: len(ages) for second, ages in by_second.items()
    }
    for point in points:
        expected_ms = max(by_second[int(point.at_s)]) * 1e3
        assert point.age_ms["age"].max == pytest.approx(expected_ms, abs=1e-3)
    assert history.seconds_after(newest) == (newest, [])


def test_a_console_that_hangs_costs_no_memory() -> None:
    snapshots = Snapshots()
    history = History(snapshots, gap_s=0.6)
    for k in range(5000):
        snapshots.results.append(ResultTimes(at_s=k, wall_s=k, stage_s={"age": 0.01}))
        snapshots.policy_said(PolicyStatus(enabled=False, holding=True))
        snapshots.diagnosed([diagnosis("inputs", str(k)), diagnosis(f"part {k}", "")])
    assert len(snapshots.results) <= 2000
    assert len(snapshots.said) <= 600
    assert len(snapshots.diagnoses) <= 100
    history.settle()
    assert len(history.seconds_after(0)[1]) <= 300
