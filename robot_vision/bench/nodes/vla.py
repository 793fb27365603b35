"""`bench vla`: simulated robot, perception with policy, and this process, which operates them."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import psutil

from robot_vision.bench.nodes.ros import BenchError
from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.timing import Percentiles
from robot_vision.machine import describe_machine
from robot_vision.model_store.policies import find_policy

_START_S = 120.0
_WARM_UP_S = 3.0
_SCENE_S = 15.0
_STAGES = ("perceived", "policy", "policy_tokens", "policy_network", "lateness")
# Targets of issue 6, on two cores with the simulator on the same machine.
BARS = {"camera to command p95, ms": 66.0, "policy p95, ms": 12.0, "late commands, %": 1.0}


def bench_vla(
    *, policy: str, seconds: float, camera_hz: float, seed: int = 0, speed: float = 1.0
) -> dict[str, Any]:
    """Camera stamp to command over DDS, and regularity of commands, in three processes.

    Raises `BenchError` with the children's output if a node does not work.
    """
    from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
    from robot_vision.ros.tools.monitor import Monitor
    from robot_vision.ros.tools.operator import Operator
    from robot_vision.ros.tools.processes import child, use_private_domain

    use_private_domain()
    use_shared_memory_profile()
    robot = ["--ros-args", "-p", f"camera_hz:={camera_hz}", "-p", f"seed:={seed}"]
    robot += ["-p", f"speed:={speed}", *_cameras_of(policy)]
    service = ["run", "--policy", "-p", f"policy:={policy}", "-p", "camera_pose.source:=topic"]
    with TemporaryDirectory() as logs:
        robot_log, service_log = Path(logs, "robot.log"), Path(logs, "service.log")
        monitor = Monitor()
        operator = Operator(monitor)
        try:
            with (
                child(
                    "robot_vision.ros.simulation.node", *robot, log=str(robot_log)
                ) as robot_process,
                child("robot_vision", *service, log=str(service_log)) as service_process,
            ):
                processes = {"simulated robot": robot_process, "service": service_process}
                load = _lead(monitor, operator, processes, seconds=seconds)
        except RobotVisionError as error:
            words = robot_log.read_text()[-1500:] + service_log.read_text()[-1500:]
            raise BenchError(f"{error}; {words}") from error
        finally:
            monitor.close()
    return {
        "bench": "vla",
        "machine": describe_machine(),
        "policy": policy,
        "camera_hz": camera_hz,
        "seconds": seconds,
        **load,
    }


def _cameras_of(policy: str) -> list[str]:
    """The simulated robot's cameras as a policy from pixels was trained with them."""
    observation = find_policy(policy).manifest.observation
    cameras = [] if observation is None else [camera.name for camera in observation.cameras]
    if not cameras:
        return []
    has_wrist = str("wrist" in cameras).lower()
    return ["-p", "fixed_camera:=true", "-p", f"wrist_camera:={has_wrist}"]


def _lead(
    monitor: Any, operator: Any, processes: Mapping[str, Any], *, seconds: float
) -> dict[str, Any]:
    """Run task after task for `seconds`; returns the measurements."""
    from robot_vision.ros.tools.monitor import stages_of

    def ended() -> bool:
        return any(process.poll() is not None for process in processes.values())

    ready = monitor.spin_until(
        lambda: ended() or bool(operator.seen.task and operator.seen.statuses), timeout_s=_START_S
    )
    if not ready or ended():
        raise BenchError("a process did not start")
    _begin(operator)
    monitor.spin(_WARM_UP_S)
    before, seen = _told(monitor), len(operator.seen.age_s)
    results = len(monitor.heard.results)
    used = {name: _Load(process.pid) for name, process in processes.items()}
    begin_s, following, statuses = monotonic(), 0, 0
    scene_s = begin_s
    while monotonic() - begin_s < seconds and not ended():
        monitor.spin(0.1)
        statuses += 1
        following += not operator.seen.status.holding
        if monotonic() - scene_s > _SCENE_S:
            operator.new_scene()
            _begin(operator)
            scene_s = monotonic()
    monitor.spin_until(lambda: _told(monitor) != before, timeout_s=5)
    after = _told(monitor)
    ages = operator.seen.age_s[seen:]
    if not ages:
        raise BenchError(f"no command followed a frame: {'; '.join(operator.seen.status.reasons)}")
    perceived = percentiles_ms(stages_of(result) for result in monitor.heard.results[results:])
    outcome = _outcome(ages, before, after, following / max(statuses, 1))
    outcome["scheduling"] = _values(monitor).get("scheduling", "")
    outcome["stage_ms"] |= {f"perception: {stage}": ms for stage, ms in perceived.items()}
    return outcome | {
        f"{name}: {figure}": value
        for name, load in used.items()
        for figure, value in load.since().items()
    }


def _begin(operator: Any) -> None:
    operator.instruct(operator.task.instruction)
    operator.enable(True)


def _values(monitor: Any) -> dict[str, str]:
    """The policy node's command figures in /diagnostics."""
    status = monitor.heard.status.get("policy: commands")
    return {item.key: item.value for item in status.values} if status else {}


def _told(monitor: Any) -> dict[str, float]:
    """Its figures."""
    return {key: _number(value) for key, value in _values(monitor).items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _outcome(
    ages_s: list[float],
    before: Mapping[str, float],
    after: Mapping[str, float],
    following: float,
) -> dict[str, Any]:
    whole = Percentiles(size=1_000_000)
    for age_s in ages_s:
        whole.add(age_s * 1e3)
    stages = {"camera to command": _rounded(whole.summary())}
    for stage in _STAGES:
        if f"{stage}_p50_ms" in after:
            stages[stage] = {q: after[f"{stage}_{q}_ms"] for q in ("p50", "p95", "p99", "max")}
    commands = after.get("commands", 0) - before.get("commands", 0)
    late = after.get("late", 0) - before.get("late", 0)
    figures = {
        "camera to command p95, ms": stages["camera to command"]["p95"],
        "policy p95, ms": stages.get("policy", {}).get("p95", float("nan")),
        "late commands, %": round(100 * late / max(commands, 1), 3),
    }
    return {
        "stage_ms": stages,
        "frames_followed": len(ages_s),
        "commands": int(commands),
        "late": int(late),
        "command_hz": after.get("command_hz"),
        "following_percent": round(100 * following, 1),
        **{name: f"{value} (at most {BARS[name]:g})" for name, value in figures.items()},
        "passed": all(value <= BARS[name] for name, value in figures.items()),
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


class _Load:
    """Processor time and memory of a process, since construction."""

    def __init__(self, pid: int) -> None:
        self._process, self._begin_s = psutil.Process(pid), monotonic()
        self._times = self._process.cpu_times()

    def since(self) -> dict[str, float]:
        if not self._process.is_running():
            return {}
        now, before = self._process.cpu_times(), self._times
        used_s = now.user + now.system - before.user - before.system
        return {
            "cpu_percent": round(100 * used_s / (monotonic() - self._begin_s), 1),
            "rss_mb": round(self._process.memory_info().rss / 1e6, 1),
        }
