"""At real time frames are dropped as the live service would; threads end, errors arrive."""

import threading
from pathlib import Path
from time import perf_counter, sleep

import pytest

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, Perception
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline, build_pipeline
from robot_vision.replay.reading.bag import BagSource
from robot_vision.replay.running.feeding import WriteBehind, read_ahead
from robot_vision.replay.running.runner import RunCounts, RunOptions, run
from robot_vision.tracking import build_tracker

pytestmark = pytest.mark.real_time


class Slow(Pipeline):
    """The pipeline on a slower machine."""

    def process(self, frame: Frame) -> Perception:
        sleep(0.15)
        return super().process(frame)


@pytest.fixture
def config(detector: Path) -> NodeConfig:
    return with_values(NodeConfig(), {"model": str(detector), "threads": 1})


def test_real_time_drops_what_a_slow_service_would(recording: Path, config: NodeConfig) -> None:
    source = BagSource(recording, config=config)
    tracker = build_tracker(config.tracker)
    slow = Slow(config, perceiver=build_perceiver(config), tracker=tracker)
    counts, start_s = RunCounts(), perf_counter()
    done = list(run(source, slow, options=RunOptions(rate=1.0), counts=counts))
    assert perf_counter() - start_s > 0.9
    assert counts.read == 30
    assert counts.processed == len(done) <= 12
    assert counts.processed + counts.dropped["superseded by a newer frame"] == 30
    stamps_ns = [item.perception.stamp_ns for item in done]
    assert stamps_ns == sorted(stamps_ns)
    assert all(item.stage_s["age"] >= 0.15 for item in done)
    assert done[-1].number == len(done) - 1


def test_a_faster_rate_takes_less_time_and_processes_all_it_can(
    recording: Path, config: NodeConfig
) -> None:
    counts, start_s = RunCounts(), perf_counter()
    source = BagSource(recording, config=config)
    pipeline = build_pipeline(config)
    begin_s = perf_counter()
    list(run(source, pipeline, options=RunOptions(rate=4.0), counts=counts))
    assert 0.2 < perf_counter() - begin_s < perf_counter() - start_s
    assert counts.processed + counts.dropped.total() == 30


@pytest.mark.parametrize("rate", [0.0, 20.0])
def test_leaving_early_ends_the_reader(recording: Path, config: NodeConfig, rate: float) -> None:
    before = threading.active_count()
    source = BagSource(recording, config=config)
    frames = run(source, build_pipeline(config), options=RunOptions(rate=rate), counts=RunCounts())
    next(frames)
    frames.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert threading.active_count() == before


def test_what_a_reader_raises_arrives() -> None:
    def items():
        yield 1
        raise OSError("disk gone")

    ahead = read_ahead(items(), size=2)
    assert next(ahead) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(ahead)


def test_writing_behind_keeps_order_and_raises_what_it_met() -> None:
    written: list[int] = []
    with WriteBehind(written.append, size=2) as behind:
        for number in range(50):
            behind.put(number)
    assert written == list(range(50))

    def refuse(number: int) -> None:
        raise OSError(f"no room for {number}")

    with pytest.raises(OSError, match="no room for 0"), WriteBehind(refuse, size=2) as behind:
        behind.put(0)
