"""Checks everything periodically during a soak: processes, console, diagnostics, rates."""

from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import numpy as np

from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.ros.soak.watch import Watch
from robot_vision.soak.checks.console_probe import ConsoleProbe
from robot_vision.soak.checks.machine import look
from robot_vision.soak.fault import Process
from robot_vision.soak.ledger import Ledger
from robot_vision.soak.outcome import Outcome, Rates

# A process that was suspended first works off its backlog.
_AFTER_STOP_S = 3.0
_NS = 1_000_000_000


class Ended(Exception):
    """The soak cannot continue; the text says why."""


class SoakLook:
    """Periodic checks; `look` is called all the time."""

    def __init__(
        self,
        processes: Mapping[Process, Any],
        probe: ConsoleProbe,
        watch: Watch,
        outcome: Outcome,
        ledger: Ledger,
        config: SoakConfig,
    ) -> None:
        self._processes, self._probe, self._watch = processes, probe, watch
        self._outcome, self._ledger, self._config = outcome, ledger, config
        self._stopped_until_s = 0.0
        self._spoke_ns = watch.now_ns()
        self._sampled_s = -config.sample_s

    def service_stopped(self, until_s: float) -> None:
        """Expect no answers from the service until then, and a little longer."""
        self._stopped_until_s = until_s + _AFTER_STOP_S
        self._spoke_ns = self._watch.now_ns() + round((self._stopped_until_s - monotonic()) * _NS)

    def look(self, at_s: float) -> bool:
        """Whether the processes were checked now; raises `Ended` if one is gone."""
        self._ledger.now_s = at_s
        self._check_console()
        for name, process in self._processes.items():
            status = process.poll()
            if status is not None:
                self._ledger.check("lives", False, f"{name} ended with status {status}")
                raise Ended(f"{name} ended with status {status}")
        if at_s - self._sampled_s < self._config.sample_s:
            return False
        self._sample(at_s)
        return True

    def _check_console(self) -> None:
        answers = self._probe.answers
        while answers:
            began_s, took_s, problem = answers.popleft()
            if began_s < self._stopped_until_s:
                continue
            words = f"/api/state took {took_s:.2f} s {problem}".strip()
            holds = not problem and took_s <= self._config.console_s
            self._ledger.check("console", holds, words)

    def _sample(self, at_s: float) -> None:
        passed_s, self._sampled_s = at_s - self._sampled_s, at_s
        of_results, of_commands = self._watch.take_ages_ms()
        commands = self._watch.counts.pop("commands", 0)
        self._outcome.rates.append(
            Rates(
                at_s=round(at_s, 1),
                results_hz=round(len(of_results) / passed_s, 2),
                commands_hz=round(commands / passed_s, 2),
                result_age_p95_ms=_p95(of_results),
                command_age_p95_ms=_p95(of_commands),
            )
        )
        for name, process in self._processes.items():
            sample = look(process.pid, at_s)
            if sample is not None:
                self._outcome.samples.setdefault(name, []).append(sample)
        if monotonic() > self._stopped_until_s:
            self._watch.check_diagnostics(since_ns=self._spoke_ns)
        self._ledger.check("lives", True)


def _p95(values: Sequence[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 1) if values else None
