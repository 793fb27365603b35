"""Latency of one sample and throughput of batches; engines take turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import process_time, sleep

import numpy as np

from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.profiling.engines import Engine, repeated
from robot_vision.profiling.onnx_inputs import batch_of

_TURN_RUNS = 5
_SETTLE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Milliseconds of a run, after a warm-up turn.

    `cpu_ms` is the time of all processors, which hardly depends on other load.
    """

    runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    cpu_ms: float


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Samples per second at a batch size, by its median run; `why` is the reason if it fails."""

    batch: int
    samples_per_s: float | None
    why: str = ""


def latencies(
    engines: Sequence[Engine], inputs: Mapping[str, np.ndarray], *, runs: int
) -> list[Latency]:
    """Times of each engine, in alternating blocks of five runs, so that load affects all alike."""
    timed = [engine.prepared(inputs) for engine in engines]
    found = take_turns_ms(timed, rounds=-(-runs // _TURN_RUNS))
    return [_latency(ms, _cpu_ms(run)) for ms, run in zip(found, timed, strict=True)]


def throughputs(
    engine: Engine, inputs: Mapping[str, np.ndarray], batches: Sequence[int], *, runs: int
) -> list[Throughput]:
    """Samples per second by batch size; refused sizes have the reason.

    A graph with a fixed batch is measured at that one.
    """
    times = batches if engine.may_batch else [1]
    return [_throughput(engine, inputs, each, runs) for each in times]


def _throughput(
    engine: Engine, inputs: Mapping[str, np.ndarray], times: int, runs: int
) -> Throughput:
    batch = times * batch_of(inputs)
    try:
        run: Callable[[], object] = engine.prepared(repeated(inputs, times))
        run()
    except Exception as error:  # a network may raise anything for an unsupported batch size
        why = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
        return Throughput(batch=batch, samples_per_s=None, why=why)
    (ms,) = take_turns_ms([run], rounds=-(-runs // _TURN_RUNS))
    return Throughput(batch=batch, samples_per_s=1000 * batch / float(np.median(ms)))


def _latency(ms: np.ndarray, cpu_ms: float) -> Latency:
    p50, p95, p99 = (float(np.percentile(ms, share)) for share in (50, 95, 99))
    return Latency(
        runs=len(ms),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        mean_ms=float(ms.mean()),
        cpu_ms=cpu_ms,
    )


def _cpu_ms(run: Callable[[], object]) -> float:
    """The median of turns, after the threads of other engines have gone to sleep."""
    spent_ms = []
    for _ in range(_TURN_RUNS):
        sleep(_SETTLE_S)
        start_s = process_time()
        for _ in range(_TURN_RUNS):
            run()
        spent_ms.append((process_time() - start_s) * 1e3 / _TURN_RUNS)
    return float(np.median(spent_ms))
