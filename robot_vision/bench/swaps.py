"""Models swapped while frames are served: what it does to memory and to the frames' latency."""

from pathlib import Path
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any

from robot_vision.bench.frames import load_frames
from robot_vision.bench.machine import describe_machine
from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.config import ServiceConfig
from robot_vision.memory import give_memory_back
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline, build_pipeline

_FRAME_EVERY_S = 0.05
_PAGE_MB = 4096 / 1e6


def bench_swaps(config: ServiceConfig, *, count: int, gives_back: bool = True) -> dict[str, Any]:
    """Load the model anew `count` times beside a thread that serves frames, as the node does.

    `gives_back` False leaves out what the node does after a swap to bound its memory.
    """
    pipeline = build_pipeline(config)
    frames = _Frames(pipeline)
    memory_mb: list[float] = []
    stages: list[dict[str, float]] = []
    for _ in range(count):
        begin_s = perf_counter()
        perceiver = build_perceiver(config)
        loaded_s = perf_counter()
        frames.swap(perceiver)
        swapped_s = perf_counter()
        if gives_back:
            give_memory_back()
        ended_s = perf_counter()
        memory_mb.append(_resident_mb())
        stages.append(
            {
                "load": 1e3 * (loaded_s - begin_s),
                "swap": 1e3 * (swapped_s - loaded_s),
                "give_back": 1e3 * (ended_s - swapped_s),
            }
        )
    frame_ms = frames.stop()
    pipeline.perceiver.close()
    return {
        "bench": "swaps",
        "machine": describe_machine(),
        "model": config.model,
        "swaps": count,
        "gives_back": gives_back,
        "memory_first_mb": round(memory_mb[0], 1),
        "memory_after_warm_up_mb": round(max(memory_mb[: _warm_up(count)]), 1),
        "memory_last_mb": round(memory_mb[-1], 1),
        "memory_most_mb": round(max(memory_mb), 1),
        "memory_mb": [round(value, 1) for value in memory_mb],
        "stage_ms": percentiles_ms([*stages, *({"frame": value} for value in frame_ms)]),
    }


class _Frames:
    """Serves frames in its thread from construction to `stop`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._frames = load_frames(None, count=30, width_px=640, height_px=480)
        self._between_frames = Lock()
        self._stopping = Event()
        self._ms: list[float] = []
        self._thread = Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def swap(self, perceiver: Any) -> None:
        with self._between_frames:
            old = self._pipeline.swap_perceiver(perceiver)
        old.close()

    def stop(self) -> list[float]:
        """How many milliseconds each frame took."""
        self._stopping.set()
        self._thread.join()
        return self._ms

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(_FRAME_EVERY_S):
            begin_s = perf_counter()
            with self._between_frames:
                self._pipeline.process(self._frames[number % len(self._frames)])
            self._ms.append(1e3 * (perf_counter() - begin_s))
            number += 1


def _warm_up(count: int) -> int:
    """Swaps after which memory is to grow no more."""
    return max(1, count // 5)


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB
