"""The simulated robot follows instructions: three processes over real ROS 2, shown and judged."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from rich.live import Live

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.figures import write_figures
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.demo.age_plot import age_plot
from robot_vision.demo.caption import with_caption
from robot_vision.demo.inputs import DemoError
from robot_vision.demo.robot_display import outcome_table, robot_view
from robot_vision.demo.video import VideoFile
from robot_vision.demo.web import console_options, console_words
from robot_vision.model_store.policies import find_policy
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
from robot_vision.ros.tools.monitor import Monitor, stages_of
from robot_vision.ros.tools.operator import Operator
from robot_vision.ros.tools.processes import child, use_private_domain
from robot_vision.terminal import Screen

_START_S = 120.0
_REFRESH_S = 0.2
# A policy that holds for this long has given up.
_GIVEN_UP_S = 6.0
# Less remaining time than this is not enough for another scene.
_LEAST_S = 5.0
_TIME_OVER = "the demo's time is up"


@dataclass(frozen=True, kw_only=True)
class RobotDemo:
    """What to show. An empty instruction means each scene's own task.

    `seconds` are the robot's: with a `speed` of 0.2 the demo takes five times as long.
    """

    instruction: str
    policy: str
    seconds: float
    out: Path
    seed: int = 0
    speed: float = 1.0
    service_args: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a task went; `success` is None if the instruction was not the scene's own, or time
    was over."""

    seed: int
    instruction: str
    success: bool | None
    seconds: float
    ended: str
    interventions: dict[str, int]


class CannotShow(RobotVisionError, RuntimeError):
    """The robot cannot be shown here; the message says why."""


def why_not(policy: str) -> str:
    """Why the simulated robot cannot be shown on this machine; empty if it can."""
    try:
        find_policy(policy or PolicyConfig().policy)
        import robot_vision.simulation.picture.gl  # noqa: F401
    except (RobotVisionError, ImportError) as error:
        return str(error)
    return ""


def show_robot(demo: RobotDemo, console: Screen) -> list[Outcome]:
    """Run task after task for the given time; writes video, plot and summary.

    Raises `CannotShow` if the robot cannot be rendered, `DemoError` if the service does not start.
    """
    domain = use_private_domain()
    use_shared_memory_profile()
    demo.out.mkdir(parents=True, exist_ok=True)
    policy = demo.policy or PolicyConfig().policy
    console.print(f"simulated robot, policy {policy}\nROS_DOMAIN_ID={domain}")
    robot_log, service_log = demo.out / "robot.log", demo.out / "service.log"
    robot = ["--ros-args", "-p", f"seed:={demo.seed}", "-p", f"speed:={demo.speed}"]
    service = ["run", "--policy", "-p", f"policy:={policy}", "-p", "camera_pose.source:=topic"]
    service += ["-p", "use_sim_time:=true"] if demo.speed != 1 else []
    service += console_options()
    video = VideoFile(demo.out / "overlay.mp4")
    shown = _Show(demo, video)
    try:
        with ExitStack() as stack:
            processes = {
                robot_log: stack.enter_context(
                    child("robot_vision.ros.simulation.node", *robot, log=str(robot_log))
                ),
                service_log: stack.enter_context(
                    child("robot_vision", *service, *demo.service_args, log=str(service_log))
                ),
            }
            shown.wait_until_ready(processes, robot_log)
            console.print(console_words(service_log))
            outcomes = shown.run(console, processes)
    finally:
        video.close()
        shown.monitor.close()
    shown.conclude(outcomes, console)
    return outcomes


class _Show:
    def __init__(self, demo: RobotDemo, video: VideoFile) -> None:
        self._demo, self._video = demo, video
        self.monitor = Monitor(on_overlay=self._on_overlay, uses_simulated_time=demo.speed != 1)
        self.operator = Operator(self.monitor)

    def _now_s(self) -> float:
        """The robot's time, from any beginning."""
        return monotonic() * self._demo.speed

    def _on_overlay(self, stamp_ns: int, rgb: np.ndarray) -> None:
        status = self.operator.seen.status
        self._video.add(stamp_ns, with_caption(rgb, status))

    def wait_until_ready(self, processes: dict[Path, Any], robot_log: Path) -> None:
        seen = self.operator.seen

        def ready_or_dead() -> bool:
            dead = any(process.poll() is not None for process in processes.values())
            return dead or bool(seen.task and seen.statuses and self.monitor.heard.results)

        ready = self.monitor.spin_until(ready_or_dead, timeout_s=_START_S)
        if processes[robot_log].poll() is not None:
            raise CannotShow(f"the simulated robot ended: {_last_words(robot_log)}")
        for log, process in processes.items():
            if not ready or process.poll() is not None:
                raise DemoError(f"the demo did not start: {_last_words(log)}")

    def run(self, console: Screen, processes: dict[Path, Any]) -> list[Outcome]:
        until_s = self._now_s() + self._demo.seconds
        outcomes: list[Outcome] = []
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not outcomes or until_s - self._now_s() > _LEAST_S:
                if outcomes:
                    self.operator.new_scene()
                outcomes.append(self._do_task(live, until_s, processes))
        return outcomes

    def _do_task(self, live: Live, until_s: float, processes: dict[Path, Any]) -> Outcome:
        """Give the words, let the arm move, watch; disabled again at the end."""
        seen, task = self.operator.seen, self.operator.task
        words = self._demo.instruction or task.instruction
        before = seen.status.interventions
        self.operator.instruct(words)
        self.operator.enable(True)
        begin_s, held_since_s, ended = self._now_s(), self._now_s(), ""
        while not ended:
            self.monitor.spin(_REFRESH_S)
            for log, process in processes.items():
                if process.poll() is not None:
                    raise DemoError(f"a process ended: {_last_words(log)}")
            if not seen.status.holding:
                held_since_s = self._now_s()
            if self.operator.task.success and not self._demo.instruction:
                ended = "done"
            elif self._now_s() - begin_s > task.time_out_s:
                ended = "out of time"
            elif self._now_s() - held_since_s > _GIVEN_UP_S:
                ended = f"held: {'; '.join(seen.status.reasons)}"
            elif self._now_s() > until_s:
                ended = _TIME_OVER
            live.update(robot_view(self.monitor.heard, seen, words), refresh=True)
        self.operator.enable(False)
        after = seen.status.interventions
        return Outcome(
            seed=task.seed,
            instruction=words,
            success=None if self._demo.instruction or ended == _TIME_OVER else ended == "done",
            seconds=round(self._now_s() - begin_s, 1),
            ended=ended,
            interventions={
                why: count - before.get(why, 0)
                for why, count in after.items()
                if count > before.get(why, 0)
            },
        )

    def conclude(self, outcomes: list[Outcome], console: Screen) -> None:
        heard, seen, out = self.monitor.heard, self.operator.seen, self._demo.out
        if not heard.results or not self._video.frames:
            raise DemoError(f"no results from the service; see {out / 'service.log'}")
        stages = [stages_of(result) for result in heard.results]
        times_s = [
            seconds_between(heard.results[0]["stamp_ns"], r["stamp_ns"]) for r in heard.results
        ]
        plot, summary = out / "ages.svg", out / "summary.json"
        title = f"Age of perceptions, {heard.results[-1]['model']}"
        plot.write_text(age_plot(times_s, stages, title))
        commands = heard.status.get("policy: commands")
        reported = {item.key: item.value for item in commands.values} if commands else {}
        ages_ms = np.percentile(seen.age_s or [float("nan")], [50, 95, 99]) * 1e3
        figures = {
            "tasks": [asdict(outcome) for outcome in outcomes],
            "camera_to_command_ms": dict(
                zip(("p50", "p95", "p99"), ages_ms.round(1).tolist(), strict=True)
            ),
            "command_hz": float(reported.get("command_hz", "nan")),
            "late_percent": float(reported.get("late_percent", "nan")),
            "interventions": dict(seen.status.interventions),
        }
        write_figures(summary, figures)
        console.print(outcome_table(outcomes))
        console.print(
            f"camera to command p50 {ages_ms[0]:.0f} ms, p95 {ages_ms[1]:.0f} ms; commands at "
            f"{figures['command_hz']:.1f} Hz, {figures['late_percent']:.1f} % late"
        )
        console.print(
            f"video {self._video.path} ({self._video.frames} frames)\nplot  {plot}\n"
            f"summary {summary}",
            style="bold",
        )


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:].strip() or f"{log} is empty"
