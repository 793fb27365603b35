"""Makes batches ahead in threads, in order."""

import itertools
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

BatchT = TypeVar("BatchT")


def made_ahead(
    make: Callable[[int], BatchT], first_step: int, *, loaders: int
) -> Generator[BatchT, None, None]:
    """The result of `make` for each step from the first on; works ahead by twice `loaders`."""
    with ThreadPoolExecutor(loaders) as pool:
        ahead = deque(pool.submit(make, first_step + k) for k in range(2 * loaders))
        try:
            for step in itertools.count(first_step + len(ahead)):
                yield ahead.popleft().result()
                ahead.append(pool.submit(make, step))
        finally:
            pool.shutdown(cancel_futures=True)
