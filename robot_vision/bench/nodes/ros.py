"""`bench ros`: a camera process, the node's process, and this one, which subscribes to all
outputs."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import psutil

from robot_vision.bench.stages import overhead_ms, percentiles_ms
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.code_permission import code_arguments
from robot_vision.machine import describe_machine

_START_S = 120.0
_WARM_UP_S = 3.0


class BenchError(RobotVisionError, RuntimeError):
    """The measured processes did not work."""


def bench_ros(
    *,
    ros_args: Sequence[str],
    seconds: float,
    fps: float,
    recording: Path | None,
    width_px: int,
    height_px: int,
) -> dict[str, Any]:
    """Ages per stage and losses over real DDS. Raises `BenchError` with the children's output."""
    from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
    from robot_vision.ros.tools.monitor import Monitor
    from robot_vision.ros.tools.processes import child, use_private_domain

    use_private_domain()
    use_shared_memory_profile()
    camera_args = [f"--seconds={seconds + _WARM_UP_S}", f"--fps={fps}"]
    camera_args += [f"--width={width_px}", f"--height={height_px}"]
    camera_args += [f"--recording={recording}"] if recording else []
    with TemporaryDirectory() as logs:
        node_log, camera_log = Path(logs, "node.log"), Path(logs, "camera.log")
        monitor = Monitor(all_outputs=True)
        service = ["run", "--no-policy", *code_arguments(), *ros_args]
        with child("robot_vision", *service, log=str(node_log)) as node:
            active = monitor.spin_until(
                lambda: _is_active(monitor.heard, node), timeout_s=_START_S
            )
            if not active or node.poll() is not None:
                raise BenchError(f"the node did not start: {node_log.read_text()[-2000:]}")
            with child(
                "robot_vision.ros.tools.camera", *camera_args, log=str(camera_log)
            ) as camera:
                load = _measure(monitor, psutil.Process(node.pid), camera)
        monitor.close()
        published = camera_log.read_text().split()
        if not published or not monitor.heard.results:
            said = {name: status.message for name, status in monitor.heard.status.items()}
            words = camera_log.read_text()[-1000:] + node_log.read_text()[-1000:]
            raise BenchError(f"no results arrived; diagnostics {said}; logs {words}")
    return {
        "bench": "ros",
        "machine": describe_machine(),
        "image": f"{width_px}×{height_px}" if recording is None else str(recording),
        "fps": fps,
        **_outcome(monitor.heard, published=int(published[-1])),
        **load,
        "stage_ms": _ages_ms(monitor.heard, skip=round(_WARM_UP_S * fps)),
    }


def _outcome(heard: Any, *, published: int) -> dict[str, Any]:
    processed = len({result["stamp_ns"] for result in heard.results})
    objects = sum(len(result["objects"]) for result in heard.results)
    return {
        "model": heard.results[-1]["model"],
        "published": published,
        "processed": processed,
        "lost": published - processed,
        "objects_per_frame": round(objects / len(heard.results), 1),
        "messages": dict(heard.counts),
    }


def _ages_ms(heard: Any, *, skip: int) -> dict[str, dict[str, float]]:
    """Percentiles of stages and ages, without the first `skip` results."""
    from robot_vision.ros.tools.monitor import stages_of

    rows = []
    for result, received_s in list(zip(heard.results, heard.received_age_s, strict=True))[skip:]:
        row = stages_of(result)
        row["all but inference"] = overhead_ms(row, whole="age")
        row["age at the subscriber"] = received_s * 1e3
        rows.append(row)
    return percentiles_ms(rows)


def _is_active(heard: Any, node: Any) -> bool:
    if node.poll() is not None:
        return True
    return any(name.endswith("outputs") for name in heard.status)


def _measure(monitor: Any, node: psutil.Process, camera: Any) -> dict[str, float]:
    """Listen until the camera ends; measures processor and memory of the node from the first
    frames on."""
    monitor.spin_until(
        lambda: bool(monitor.heard.results) or camera.poll() is not None, timeout_s=_START_S
    )
    monitor.spin(_WARM_UP_S)
    rss_start_mb, times, begin_s = _rss_mb(node), node.cpu_times(), monotonic()
    rss_max_mb = rss_start_mb
    while camera.poll() is None and node.is_running():
        monitor.spin(0.5)
        rss_max_mb = max(rss_max_mb, _rss_mb(node))
    used_s = node.cpu_times().user + node.cpu_times().system - times.user - times.system
    return {
        "cpu_percent": round(100 * used_s / (monotonic() - begin_s), 1),
        "rss_start_mb": round(rss_start_mb, 1),
        "rss_end_mb": round(_rss_mb(node), 1),
        "rss_max_mb": round(rss_max_mb, 1),
    }


def _rss_mb(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6
