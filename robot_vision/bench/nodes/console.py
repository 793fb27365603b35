"""`bench console`: the cost of the console per frame: without it, with nobody connected, with
viewers.

A machine's speed drifts and processes differ, so one process is measured in short blocks: without
a console, with one, and with viewers, in changing order.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from tempfile import TemporaryDirectory
from time import time
from typing import Any

import numpy as np
import psutil

from robot_vision.bench.nodes.console_blocks import (
    ALONE,
    CONDITIONS,
    IDLE,
    WATCHED,
    Condition,
    condition_of,
)
from robot_vision.bench.nodes.ros import BenchError
from robot_vision.bench.stages import percentiles_ms
from robot_vision.machine import describe_machine

_START_S = 60.0
# Starting or stopping a console, and connecting viewers, has costs that belong to no block.
_BEGIN_S, _END_S = 1.5, 0.1
_SETTLE_S = 3.0
_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Block:
    """Ages of the frames of a block, and the service's processor time for each."""

    condition: Condition
    age_ms: Sequence[float]
    cpu_ms: float


def bench_console(
    *,
    ros_args: Sequence[str],
    rounds: int,
    seconds: float,
    fps: float,
    viewers: int,
    viewer_fps: float,
    width_px: int,
    height_px: int,
    why: str = "",
) -> dict[str, Any]:
    """Ages of frames under each condition, and their ratios. Raises `BenchError`.

    A round is a block of `seconds` of each condition. `why` is an explanation method: the viewers
    watch the page "Why", and frame after frame is explained.
    """
    from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
    from robot_vision.ros.tools.processes import use_private_domain

    use_private_domain()
    use_shared_memory_profile()
    lasts_s = _START_S + (rounds + 1) * len(CONDITIONS) * seconds
    camera = [f"--fps={fps}", f"--width={width_px}", f"--height={height_px}"]
    camera.append(f"--seconds={lasts_s}")
    with TemporaryDirectory() as logs:
        blocks, messages, explained = _measure(
            ros_args, camera, [str(viewers), str(viewer_fps)], why, rounds, seconds, Path(logs)
        )
    return {
        "bench": "why" if why else "console",
        **({"way": why, "explained": explained} if why else {}),
        "machine": describe_machine(),
        "image": f"{width_px}×{height_px}",
        "fps": fps,
        "viewers": viewers,
        "viewer_fps": viewer_fps,
        "viewer_messages_hz": round(messages / (rounds * viewers * seconds), 1),
        "rounds": rounds,
        "seconds": seconds,
        **{f"cpu_ms_per_frame, {c}": round(_cpu_ms(blocks, c), 3) for c in CONDITIONS},
        **ratios(blocks),
        "stage_ms": percentiles_ms(
            {f"age, {block.condition}": age} for block in _sorted(blocks) for age in block.age_ms
        ),
    }


def ratios(blocks: Sequence[Block]) -> dict[str, float | str]:
    """Nobody watching against no console, viewers against nobody: percentiles of the ages.

    Each with its 95 % interval, by resampling whole rounds.
    """
    ages_ms = {c: [block.age_ms for block in blocks if block.condition == c] for c in CONDITIONS}
    rounds = len(ages_ms[ALONE])
    drawn = np.random.default_rng(0).integers(rounds, size=(_RESAMPLES, rounds))
    result: dict[str, float | str] = {}
    for name, over, under in (("idle", IDLE, ALONE), ("watched", WATCHED, IDLE)):
        for percentile in (50, 95):
            pair = (ages_ms[over], ages_ms[under])
            each = [_ratio(*pair, chosen, percentile) for chosen in drawn]
            low, high = np.percentile(each, [2.5, 97.5])
            key = f"{name}_p{percentile}_ratio"
            result[key] = round(_ratio(*pair, np.arange(rounds), percentile), 4)
            result[f"{key}, 95 % interval"] = f"{low:.3f} to {high:.3f}"
    return result


def _ratio(
    over: Sequence[Sequence[float]],
    under: Sequence[Sequence[float]],
    chosen: np.ndarray,
    percentile: float,
) -> float:
    """Ratio of percentiles over all blocks of the rounds `chosen`."""
    top, bottom = (
        np.percentile(np.concatenate([ages_ms[i] for i in chosen]), percentile)
        for ages_ms in (over, under)
    )
    return float(top / bottom)


def _sorted(blocks: Sequence[Block]) -> list[Block]:
    return sorted(blocks, key=lambda block: CONDITIONS.index(block.condition))


def _cpu_ms(blocks: Sequence[Block], condition: Condition) -> float:
    return float(np.mean([block.cpu_ms for block in blocks if block.condition == condition]))


def _measure(
    ros_args: Sequence[str],
    camera: Sequence[str],
    viewing: Sequence[str],
    why: str,
    rounds: int,
    block_s: float,
    logs: Path,
) -> tuple[list[Block], int, int]:
    """Blocks of whole rounds, messages received by all viewers, and explained frames."""
    from robot_vision.ros.tools.monitor import Monitor
    from robot_vision.ros.tools.processes import child

    port = _free_port()
    service_log, viewers_log = logs / "service.log", logs / "viewers.log"
    service = [str(block_s), "--ros-args", "-p", f"console:port:={port}", *ros_args]
    looking = [f"http://127.0.0.1:{port}", *viewing, str(block_s), *([why] if why else [])]
    monitor = Monitor()
    with ExitStack() as stack:
        node = stack.enter_context(
            child("robot_vision.bench.nodes.console_service", *service, log=str(service_log))
        )
        stack.enter_context(
            child("robot_vision.ros.tools.camera", *camera, log=str(logs / "camera.log"))
        )
        monitor.spin_until(
            lambda: bool(monitor.heard.results) or node.poll() is not None, timeout_s=_START_S
        )
        if not monitor.heard.results:
            raise BenchError(f"no frames arrived: {service_log.read_text()[-2000:]}")
        stack.enter_context(
            child("robot_vision.bench.nodes.console_viewers", *looking, log=str(viewers_log))
        )
        process = psutil.Process(node.pid)
        first = (int((time() + _SETTLE_S) // block_s) // len(CONDITIONS) + 1) * len(CONDITIONS)
        last = first + rounds * len(CONDITIONS)
        blocks = [_block(monitor, process, number, block_s) for number in range(first, last)]
        monitor.spin(1.0)
    monitor.close()
    said = viewers_log.read_text().split()
    explained = said.count("why")
    counts = [word for word in said if word != "why"]
    if not counts or not all(count.isdigit() for count in counts):
        words = viewers_log.read_text()[-2000:] + service_log.read_text()[-2000:]
        raise BenchError(f"the viewers did not receive everything: {words}")
    if why and not explained:
        raise BenchError("no frame was explained during the measurement: the blocks are too short")
    return blocks, sum(map(int, counts)), explained


def _block(monitor: Any, process: psutil.Process, number: int, block_s: float) -> Block:
    begin_s, end_s = number * block_s + _BEGIN_S, (number + 1) * block_s - _END_S
    monitor.spin(max(begin_s - time(), 0))
    before_s, seen = _worked_s(process), len(monitor.heard.results)
    monitor.spin(end_s - time())
    after_s, results = _worked_s(process), monitor.heard.results[seen:]
    if not results:
        raise BenchError("frames stopped during the measurement")
    return Block(
        condition=condition_of(number),
        age_ms=[result["age_ms"] for result in results],
        cpu_ms=1e3 * (after_s - before_s) / len(results),
    )


def _worked_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
