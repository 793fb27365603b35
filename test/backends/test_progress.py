"""Long work says that it began, that it goes on, and that it is done."""

import time

import pytest

from robot_vision.backends.progress import announced


def test_the_heartbeat_beats_while_work_goes_on() -> None:
    said: list[str] = []
    with announced("building", announce=said.append, interval_s=0.02):
        until_s = time.monotonic() + 30
        while len(said) < 3 and time.monotonic() < until_s:
            time.sleep(0.01)
    assert said[0] == "building: started"
    assert said[1].endswith("s so far")
    assert said[-1].startswith("building: done in")
    count = len(said)
    time.sleep(0.06)
    assert len(said) == count


def test_work_that_fails_is_not_announced_as_done() -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError), announced("building", announce=said.append):
        raise RuntimeError
    assert said == ["building: started"]
