"""One soak: pauses in which the operator gives tasks, faults, and checks after each fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Thread
from time import monotonic
from typing import Any

from rich.live import Live
from rich.text import Text

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.ros.soak.injector import Injector
from robot_vision.ros.soak.look import Ended, SoakLook
from robot_vision.ros.soak.operator import SoakOperator
from robot_vision.ros.soak.rig import SoakRig
from robot_vision.ros.soak.watch import Watch
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.soak.checks.console_probe import ConsoleProbe
from robot_vision.soak.checks.holding import HoldJudge
from robot_vision.soak.checks.machine import growth, judge_growth
from robot_vision.soak.fault import Fault, Process
from robot_vision.soak.ledger import Ledger
from robot_vision.soak.outcome import FaultRun, Outcome
from robot_vision.soak.schedule import Planned, schedule
from robot_vision.terminal import Screen

_STEP_S = 0.05
_SETTLE_S = 1.5
_REST_S = 0.4
_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SoakParts:
    """The parts that a soak connects; all of them run already and outlive it."""

    monitor: Monitor
    operator: Operator
    injector: Injector
    probe: ConsoleProbe
    processes: Mapping[Process, Any]
    model: str
    faults: Sequence[Fault]
    seed: int
    seconds: float
    out: Path
    config: SoakConfig


class SoakRun:
    """Fills `outcome` and `ledger` while it runs."""

    def __init__(
        self, parts: SoakParts, outcome: Outcome, ledger: Ledger, *, began_s: float
    ) -> None:
        self._parts, self._outcome, self._ledger = parts, outcome, ledger
        self._began_s = began_s
        policy = PolicyNodeConfig()
        self.watch = Watch(
            parts.monitor,
            parts.operator,
            ledger,
            policy,
            parts.config,
            true_tool=parts.injector.true_tool,
        )
        parts.injector.on_frame = self.watch.frames.sent_at
        self._operator = SoakOperator(
            parts.operator,
            self.watch,
            ledger,
            parts.config,
            spin=self._spin,
            rests=lambda since_ns: parts.injector.rests(since_ns=since_ns, for_s=_REST_S),
        )
        self._judge = HoldJudge(ledger, policy, parts.config)
        self._rig = SoakRig(
            injector=parts.injector,
            monitor=parts.monitor,
            operator=parts.operator,
            console=parts.probe,
            processes={name: process.pid for name, process in parts.processes.items()},
            model=parts.model,
            out=parts.out,
            ledger=ledger,
        )
        self._look = SoakLook(
            parts.processes, parts.probe, self.watch, outcome, ledger, parts.config
        )
        self._live: Live | None = None
        self._doing = "starting"

    @property
    def _at_s(self) -> float:
        return monotonic() - self._began_s

    def run(self, screen: Screen) -> None:
        """Fault after fault until time is up, Ctrl-C, or a process is gone."""
        self._outcome.ended = "time is up"
        with Live(console=screen, auto_refresh=False, transient=True) as live:
            self._live = live
            try:
                self._operator.next_task()
                for planned in schedule(self._parts.faults, self._parts.seed, self._parts.config):
                    if self._at_s > self._parts.seconds:
                        break
                    self._one(planned)
            except KeyboardInterrupt:
                self._outcome.ended = "interrupted"
            except Ended as error:
                self._outcome.ended = str(error)
        self._conclude()

    def _conclude(self) -> None:
        outcome, frames = self._outcome, self.watch.frames
        outcome.seconds = round(self._at_s, 1)
        outcome.scenes = self._operator.scenes
        outcome.frames_sent, outcome.frames_missing = frames.sent, frames.lost
        outcome.notes += list(dict.fromkeys([*self._parts.injector.problems, *self._rig.notes]))
        self._ledger.fault = "the whole run"
        for name, samples in outcome.samples.items():
            found = growth(name, samples, self._parts.config)
            if found is not None:
                outcome.growth.append(found)
                judge_growth(found, self._parts.config, self._ledger)

    def _one(self, planned: Planned) -> None:
        """Pause, fault, judgement, recovery."""
        self._doing = "pause"
        self._operator.follow()
        self._spin(planned.pause_s, between=self._operator.keep_task)
        self._operator.follow()
        self.watch.frames.check()
        fault, ledger = planned.fault, self._ledger
        before = ledger.total
        ledger.fault = fault.name
        self._doing = f"{planned.number}: {fault.name}"
        begin_s, begin_ns = self._at_s, self.watch.now_ns()
        self._parts.injector.forget()
        self._during(planned)
        end_s, end_ns = self._at_s, self.watch.now_ns()
        self._doing = f"after {fault.name}"
        recovery = self._operator.recover(fault, end_ns)
        first_ns = self._parts.injector.first_changed_ns or begin_ns
        verdict = self._judge.judge(
            fault,
            begin_ns=max(first_ns, begin_ns),
            end_ns=end_ns,
            commands=list(self.watch.commands.recent),
            statuses=list(self.watch.statuses),
        )
        # Violations that show a little later still belong to this fault.
        self._spin(_SETTLE_S)
        self.watch.frames.check()
        found = ledger.of_fault(fault.name)
        earlier = self._violations_before(fault.name)
        self._outcome.runs.append(
            FaultRun(
                number=planned.number,
                name=fault.name,
                begin_s=round(begin_s, 2),
                end_s=round(end_s, 2),
                verdict=verdict,
                recovered_s=recovery.recovered_s,
                enabled_again=recovery.enabled_again,
                new_scene=recovery.new_scene,
                frames_lost=self.watch.frames.lost,
                violations={
                    name: count - earlier.get(name, 0)
                    for name, count in found.items()
                    if count > earlier.get(name, 0)
                },
            )
        )
        # Later violations most likely have another cause.
        ledger.fault = f"pause after {fault.name}"
        if ledger.total > before and self._live is not None:
            words = ", ".join(f"{k} ×{n}" for k, n in self._outcome.runs[-1].violations.items())
            self._live.console.print(f"{begin_s:7.1f} s  {fault.name}: {words}")

    def _violations_before(self, fault: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for run in self._outcome.runs:
            if run.name == fault:
                for name, count in run.violations.items():
                    counts[name] = counts.get(name, 0) + count
        return counts

    def _during(self, planned: Planned) -> None:
        fault, until_s = planned.fault, monotonic() + planned.duration_s
        if fault.stops_service:
            self._look.service_stopped(until_s)
            until_ns = self.watch.now_ns() + round((planned.duration_s + 1.0) * _NS)
            self.watch.commands.allow_gap(until_ns)
        try:
            with fault.at(self._rig, Random(planned.seed)):  # noqa: S311 - no secret
                until_s = monotonic() + planned.duration_s
                if fault.try_hold:
                    self._spin(planned.duration_s / 2)
                    self._press_hold()
                self._spin(max(until_s - monotonic(), 0.0))
        except (RobotVisionError, OSError) as error:
            self._ledger.check("answers", False, f"{fault.name}: {error}")

    def _press_hold(self) -> None:
        """Press the console's hold, with the token: the stream must stop soon."""
        pressed: list[tuple[float, str]] = []
        pressed_s, limit_s = monotonic(), self._parts.config.hold_s
        thread = Thread(target=lambda: pressed.append(self._parts.probe.hold()), daemon=True)
        thread.start()
        pressed_ns = self.watch.now_ns()
        while thread.is_alive():
            self._spin(_STEP_S)
        thread.join()
        took_s, problem = pressed[0]
        disabled = [s for s in self.watch.statuses if s.stamp_ns > pressed_ns and not s.enabled]
        while not disabled and monotonic() - pressed_s < limit_s:
            self._spin(_STEP_S)
            disabled = [
                s for s in self.watch.statuses if s.stamp_ns > pressed_ns and not s.enabled
            ]
        words = f"hold took {took_s:.1f} s {problem}".strip()
        done = bool(disabled) and not problem and took_s <= limit_s
        self._ledger.check("console hold", done, words)

    def _spin(self, seconds: float, *, between: Any = None) -> None:
        """Receive messages, and check everything periodically."""
        until_s = monotonic() + seconds
        while (left_s := until_s - monotonic()) > 0:
            self._parts.monitor.spin(min(left_s, _STEP_S))
            if self._look.look(self._at_s):
                self._show()
            if between is not None:
                between()

    def _show(self) -> None:
        status = self._parts.operator.seen.status
        state = "off" if not status.enabled else "holds" if status.holding else "follows"
        memory = ", ".join(
            f"{name} {samples[-1].rss_mb:.0f} MB"
            for name, samples in self._outcome.samples.items()
        )
        if self._live is not None:
            line = (
                f"{self._at_s:6.0f} of {self._parts.seconds:.0f} s  {self._doing}  {state}  "
                f"{self._ledger.total} violations  {memory}"
            )
            self._live.update(Text(line), refresh=True)
