"""Swaps models while frames are served: effect on memory and frame latency."""

import resource
from pathlib import Path
from threading import Event, Lock, Thread
from time import perf_counter
from typing import Any

from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.timing import timed
from robot_vision.machine import describe_machine
from robot_vision.memory import give_memory_back
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline, build_pipeline
from robot_vision.replay.reading.example_frames import load_frames

_FRAME_EVERY_S = 0.05


def bench_swaps(config: ServiceConfig, *, count: int, gives_back: bool = True) -> dict[str, Any]:
    """Reload the model `count` times while a thread serves frames, as in the node.

    `gives_back` False skips the node's memory release after a swap.
    """
    pipeline = build_pipeline(config)
    frames = _Frames(pipeline)
    memory_mb: list[float] = []
    stages: list[dict[str, float]] = []

    def swap() -> None:
        stages.append(_swap(config, frames, gives_back=gives_back))

    for _ in range(count):
        # One thread per swap: the node alternates between several, and memory is kept per thread.
        thread = Thread(target=swap)
        thread.start()
        thread.join()
        memory_mb.append(_resident_mb())
    if len(stages) < count:
        raise RuntimeError(f"{count - len(stages)} of {count} swaps failed: see above")
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


def _swap(config: ServiceConfig, frames: "_Frames", *, gives_back: bool) -> dict[str, float]:
    """Milliseconds of each step."""
    stage_s: dict[str, float] = {}
    with timed(stage_s, "load"):
        perceiver = build_perceiver(config)
    with timed(stage_s, "swap"):
        frames.swap(perceiver)
    if gives_back:
        with timed(stage_s, "give back"):
            give_memory_back()
    return {stage: 1e3 * seconds for stage, seconds in stage_s.items()}


class _Frames:
    """Serves frames in a thread from construction to `stop`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._frames = load_frames(None, count=30, width_px=640, height_px=480)
        self._between_frames = Lock()
        self._stopping = Event()
        self._ms: list[float] = []
        self._thread = Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def swap(self, perceiver: Perceiver) -> None:
        with self._between_frames:
            old = self._pipeline.swap_perceiver(perceiver)
        old.close()

    def stop(self) -> list[float]:
        """Stop; returns the milliseconds of each frame."""
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
    """Number of swaps after which memory must not grow."""
    return max(1, count // 5)


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
