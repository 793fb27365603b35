"""`bench console`: what the console costs a frame: alone, with nobody connected, with viewers.

Three nodes run in turn, in many short rounds, because a machine's speed drifts: what counts are
ratios within a round.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import numpy as np
import psutil

from robot_vision.bench.machine import describe_machine
from robot_vision.bench.ros import BenchError
from robot_vision.bench.stages import percentiles_ms

ALONE, IDLE, WATCHED = "no console", "nobody connected", "viewers"
_START_S = 60.0
_SETTLE_S = 2.0


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
) -> dict[str, Any]:
    """Ages of frames under each condition, and their ratios. Raises `BenchError`."""
    from robot_vision.ros.processes import use_private_domain
    from robot_vision.ros.profile import use_shared_memory_profile

    use_private_domain()
    use_shared_memory_profile()
    camera_args = [f"--fps={fps}", f"--width={width_px}", f"--height={height_px}"]
    camera_args.append(f"--seconds={_SETTLE_S + seconds + 1}")
    ages: dict[str, list[list[float]]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    conditions = [ALONE, IDLE, WATCHED]
    for number in range(rounds):
        for condition in conditions[number % 3 :] + conditions[: number % 3]:
            watching = (viewers, viewer_fps) if condition == WATCHED else None
            ages_ms, cpu_percent = _measure(
                ros_args,
                camera_args,
                console=condition != ALONE,
                watching=watching,
                seconds=seconds,
            )
            ages[condition].append(ages_ms)
            cpu[condition].append(cpu_percent)
    return {
        "bench": "console",
        "machine": describe_machine(),
        "image": f"{width_px}×{height_px}",
        "fps": fps,
        "viewers": viewers,
        "viewer_fps": viewer_fps,
        "rounds": rounds,
        "frames": {condition: sum(map(len, rows)) for condition, rows in ages.items()},
        "cpu_percent": {name: round(float(np.mean(v)), 1) for name, v in cpu.items()},
        **ratios(ages),
        "stage_ms": percentiles_ms(
            {f"age, {condition}": age}
            for condition in conditions
            for ages_ms in ages[condition]
            for age in ages_ms
        ),
    }


def ratios(ages_ms: dict[str, list[list[float]]]) -> dict[str, float]:
    """Medians over the rounds of each condition's p50 and p95 against those without a console."""
    result = {}
    for condition, name in ((IDLE, "idle"), (WATCHED, "watched")):
        for percentile in (50, 95):
            each = [
                np.percentile(with_console, percentile) / np.percentile(alone, percentile)
                for with_console, alone in zip(ages_ms[condition], ages_ms[ALONE], strict=True)
            ]
            result[f"{name}_p{percentile}_ratio"] = round(float(np.median(each)), 4)
    return result


def _measure(
    ros_args: Sequence[str],
    camera_args: Sequence[str],
    *,
    console: bool,
    watching: tuple[int, float] | None,
    seconds: float,
) -> tuple[list[float], float]:
    """Ages in milliseconds of the frames of one node, and its load of the processor."""
    from robot_vision.ros.monitor import Monitor
    from robot_vision.ros.processes import child

    with TemporaryDirectory() as logs:
        node_log = Path(logs, "node.log")
        monitor = Monitor()
        with (
            _node(ros_args, console=console, log=node_log) as node,
            child("robot_vision.ros.camera", *camera_args, log=str(Path(logs, "camera.log"))),
        ):
            ready = monitor.spin_until(
                lambda: bool(monitor.heard.results) or node.poll() is not None, timeout_s=_START_S
            )
            if not ready or node.poll() is not None:
                raise BenchError(f"no frame came: {node_log.read_text()[-2000:]}")
            with _viewers(node_log, watching, logs):
                monitor.spin(_SETTLE_S)
                first, process = len(monitor.heard.results), psutil.Process(node.pid)
                before, begin_s = process.cpu_times(), monotonic()
                monitor.spin(seconds)
                after, elapsed_s = process.cpu_times(), monotonic() - begin_s
                results = monitor.heard.results[first:]
        monitor.close()
    if not results:
        raise BenchError(f"frames stopped: {node_log.name}")
    used_s = after.user + after.system - before.user - before.system
    return [result["age_ms"] for result in results], 100 * used_s / elapsed_s


@contextmanager
def _node(ros_args: Sequence[str], *, console: bool, log: Path) -> Iterator[Any]:
    from robot_vision.ros.processes import child

    options = ["--console", "--console-port=0"] if console else []
    with child("robot_vision", "run", *options, *ros_args, log=str(log)) as node:
        yield node


@contextmanager
def _viewers(node_log: Path, watching: tuple[int, float] | None, logs: str) -> Iterator[None]:
    from robot_vision.ros.processes import child

    if watching is None:
        yield
        return
    url = node_log.read_text().partition("console at ")[2].split()[0]
    arguments = [url, str(watching[0]), str(watching[1])]
    log = str(Path(logs, "viewers.log"))
    with child("robot_vision.bench.console_viewers", *arguments, log=log) as viewers:
        yield
        if viewers.poll() is not None:
            raise BenchError(f"the viewers ended: {Path(log).read_text()[-2000:]}")
