"""What waits between threads is bounded by weight as well as by number."""

from queue import Full

import pytest

from robot_vision.replay.running.feeding import HeavyQueue


def test_a_queue_takes_fewer_of_what_is_heavy() -> None:
    queue = HeavyQueue[bytes](4, weigh=len, most_bytes=100)
    queue.put_nowait(bytes(60))
    with pytest.raises(Full):
        queue.put_nowait(bytes(60))
    assert len(queue.get_nowait()) == 60
    queue.put_nowait(bytes(1000))  # one always has room
    with pytest.raises(Full):
        queue.put_nowait(b"")
    queue.get_nowait()
    for _ in range(4):
        queue.put_nowait(b"light")
    with pytest.raises(Full):
        queue.put_nowait(b"one more")
