"""Long work is never silent: its start, a heartbeat and its end are announced."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter


@contextmanager
def announced(
    work: str, *, announce: Callable[[str], None], interval_s: float = 10.0
) -> Iterator[None]:
    """Announce the start of `work`, its elapsed time every `interval_s`, and its end."""
    start_s = perf_counter()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(interval_s):
            announce(f"{work}: {perf_counter() - start_s:.0f} s so far")

    heart = threading.Thread(target=beat, name="progress", daemon=True)
    announce(f"{work}: started")
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
    announce(f"{work}: done in {perf_counter() - start_s:.1f} s")
