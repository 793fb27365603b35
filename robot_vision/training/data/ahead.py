"""Batches made ahead by threads, in order."""

import itertools
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

BatchT = TypeVar("BatchT")


def made_ahead(
    make: Callable[[int], BatchT], first_step: int, *, loaders: int
) -> Generator[BatchT, None, None]:
    """What `make` makes of each step from the first on; twice as many ahead as `loaders`."""
    with ThreadPoolExecutor(loaders) as pool:
        ahead = deque(pool.submit(make, first_step + k) for k in range(2 * loaders))
        try:
            for step in itertools.count(first_step + len(ahead)):
                yield ahead.popleft().result()
                ahead.append(pool.submit(make, step))
        finally:
            pool.shutdown(cancel_futures=True)
