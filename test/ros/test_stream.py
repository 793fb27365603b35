"""The stream: even, and honest about what was late."""

from threading import Event
from time import sleep

from robot_vision.ros.common.stream import Stream


def test_ticks_come_at_the_rate_and_end_with_stop() -> None:
    ticks: list[int] = []
    enough = Event()

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 50:
            enough.set()

    stream = Stream(tick, 0.01, log=lambda _: None)
    assert enough.wait(20)
    evenness = stream.evenness()
    stream.stop()
    count = len(ticks)
    sleep(0.05)
    assert len(ticks) == count
    assert evenness.ticks >= 49
    # As many deadlines as there were, met or missed: nothing is made up for.
    assert 30 < evenness.hz < 110
    assert evenness.scheduling in ("real time", "nice -10", "as others")
    assert set(evenness.lateness_s) == {"p50", "p95", "p99", "max"}


def test_a_tick_that_takes_three_periods_is_late_by_as_many_and_is_not_made_up_for() -> None:
    calls: list[int] = []
    third = Event()

    def tick() -> None:
        calls.append(1)
        if len(calls) == 3:
            third.set()
            return
        sleep(0.16)

    stream = Stream(tick, 0.05, log=lambda _: None)
    assert third.wait(20)
    evenness = stream.evenness()
    stream.stop()
    assert evenness.late >= 6
    assert evenness.ticks >= 8


def test_a_tick_that_fails_is_logged_once_and_the_next_ones_come() -> None:
    logged: list[str] = []
    calls: list[int] = []
    fifth = Event()

    def tick() -> None:
        calls.append(1)
        if len(calls) == 5:
            fifth.set()
        if len(calls) in (2, 3):
            raise RuntimeError("a tick of this test")

    stream = Stream(tick, 0.01, log=logged.append)
    assert fifth.wait(20)
    stream.stop()
    assert len(logged) == 1
    assert "a tick of this test" in logged[0]
