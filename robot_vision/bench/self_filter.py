"""`bench self-filter`: the cost of drawing the robot, and the effect on perception."""

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.machine import describe_machine
from robot_vision.rollouts.evaluating.seen_robot import compare_self_filter
from robot_vision.rollouts.simulated_perception import simulated_body, with_robot
from robot_vision.simulation.robot.build import build_world

_WARM_UP = 20
BAR_MS = 1.5


def bench_self_filter(
    *,
    model: str,
    frames: int,
    episodes: int,
    seed: int,
    processes: int,
    on_progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Time a view of the simulated arm at 416×320; with `episodes`, count tracks on the arm."""
    stage_ms = percentiles_ms(_times_ms(frames, seed))
    result = {
        "bench": "self-filter",
        "machine": describe_machine(),
        "stage_ms": stage_ms,
        "passed": stage_ms["view, processor"]["p50"] <= BAR_MS,
    }
    if episodes:
        compared = compare_self_filter(
            model, episodes=episodes, seed=seed, processes=processes, on_progress=on_progress
        )
        result |= compared
    return result


def _times_ms(frames: int, seed: int) -> list[dict[str, float]]:
    """Wall time, and processor time, which other programs affect less."""
    times = []
    with build_world(np.random.default_rng(seed), split="test") as world:
        frame, body = world.frame(), simulated_body(world, ServiceConfig())
        assert body is not None
        for _ in range(_WARM_UP + frames):
            start_s, used_s = perf_counter(), thread_time()
            with_robot(frame, world, body)
            times.append(
                {
                    "view": (perf_counter() - start_s) * 1e3,
                    "view, processor": (thread_time() - used_s) * 1e3,
                }
            )
    return times[_WARM_UP:]
