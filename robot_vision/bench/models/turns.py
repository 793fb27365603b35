"""Interleaved timing of several functions, so that other load affects all alike."""

from collections.abc import Callable, Sequence
from time import perf_counter, sleep

import numpy as np
from jaxtyping import Float64

_BLOCK_RUNS = 5
# The thread pools of torch and ONNX Runtime keep spinning for a while after a run.
_SETTLE_S = 0.05


def take_turns_ms(
    runs: Sequence[Callable[[], object]], *, rounds: int
) -> list[Float64[np.ndarray, " n"]]:
    """Milliseconds of each run of each function, in `rounds` blocks of five after a warm-up
    run."""
    times_ms: list[list[float]] = [[] for _ in runs]
    for round_index in range(rounds + 1):
        for row, run in enumerate(runs):
            sleep(_SETTLE_S)
            run()
            for _ in range(_BLOCK_RUNS):
                start_s = perf_counter()
                run()
                if round_index > 0:
                    times_ms[row].append((perf_counter() - start_s) * 1e3)
    return [np.array(row) for row in times_ms]
