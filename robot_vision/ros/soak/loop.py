"""`robot-vision soak`: the whole loop, with fault after fault, and an operator who carries on."""

import secrets
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.machine import describe_machine
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
from robot_vision.ros.soak.injector import Injector, remappings
from robot_vision.ros.soak.run import SoakParts, SoakRun
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.ros.tools.processes import child, use_private_domain
from robot_vision.soak.checks.console_probe import ConsoleProbe
from robot_vision.soak.fault import Fault, Process
from robot_vision.soak.ledger import Ledger
from robot_vision.soak.outcome import Outcome
from robot_vision.soak.report import write_report
from robot_vision.terminal import Screen, styled

_START_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Soak:
    """The options of a soak."""

    seconds: float
    seed: int
    faults: Sequence[Fault]
    out: Path
    policy: str
    camera_hz: float
    config: SoakConfig = field(default_factory=SoakConfig)


class SoakError(RobotVisionError, RuntimeError):
    """The loop did not start; the message has the children's last output."""


def soak(wanted: Soak, screen: Screen) -> bool:
    """Run until time is up, Ctrl-C or SIGTERM; write the report; returns whether all held.

    Raises `SoakError` if the loop does not start.
    """
    # A shell that starts it in the background makes it ignore Ctrl-C; the report would be lost.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    use_private_domain()
    use_shared_memory_profile()
    wanted.out.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(
        seed=wanted.seed,
        faults=[fault.name for fault in wanted.faults],
        wanted_s=wanted.seconds,
        machine=describe_machine(),
    )
    ledger = Ledger()
    with ExitStack() as stack:
        run = _started(wanted, outcome, ledger, stack)
        run.run(screen)
    path = write_report(wanted.out, outcome, ledger)
    colour = "red" if ledger.total else "green"
    words = f"{len(outcome.runs)} faults in {outcome.seconds:.0f} s: {ledger.total} violations; "
    screen.print(styled(f"{words}report: {path}", colour))
    return not ledger.total


def _started(wanted: Soak, outcome: Outcome, ledger: Ledger, stack: ExitStack) -> SoakRun:
    """The loop, ready to be tested. Its parts end with the stack."""
    token = secrets.token_urlsafe(24)
    token_file = wanted.out / "console.token"
    token_file.touch(mode=0o600)
    token_file.write_text(token + "\n", encoding="utf-8")
    stack.callback(token_file.unlink, missing_ok=True)
    robot_log, service_log = wanted.out / "robot.log", wanted.out / "service.log"
    robot = ["--ros-args", "-p", f"seed:={wanted.seed % 2**31}"]
    robot += ["-p", f"camera_hz:={wanted.camera_hz}", *remappings()]
    service = ["run", "--policy", "--console", "--console-port=0"]
    service += [f"--console-token-file={token_file}", "-p", f"policy:={wanted.policy}"]
    service += ["-p", "camera_pose.source:=topic"]
    monitor = Monitor()
    stack.callback(monitor.close)
    operator = Operator(monitor, enables_again=False)
    injector = Injector()
    stack.callback(injector.close)
    processes: dict[Process, Any] = {
        "service": stack.enter_context(child("robot_vision", *service, log=str(service_log))),
        "simulated robot": stack.enter_context(
            child("robot_vision.ros.simulation.node", *robot, log=str(robot_log))
        ),
    }

    def ended() -> bool:
        return any(process.poll() is not None for process in processes.values())

    def ready() -> bool:
        seen, heard = operator.seen, monitor.heard
        return bool(seen.task and seen.statuses and heard.results and _url(service_log))

    monitor.spin_until(lambda: ended() or ready(), timeout_s=_START_S)
    if ended() or not ready():
        words = robot_log.read_text()[-1500:] + service_log.read_text()[-1500:]
        raise SoakError(f"the loop did not start within {_START_S:g} s; {words}")
    probe = ConsoleProbe(_url(service_log), token)
    stack.callback(probe.close)
    return SoakRun(
        SoakParts(
            monitor=monitor,
            operator=operator,
            injector=injector,
            probe=probe,
            processes=processes,
            model=NodeConfig().model,
            faults=wanted.faults,
            seed=wanted.seed,
            seconds=wanted.seconds,
            out=wanted.out,
            config=wanted.config,
        ),
        outcome,
        ledger,
        began_s=monotonic(),
    )


def _url(service_log: Path) -> str:
    """The console's URL; empty until it is logged."""
    _, found, rest = service_log.read_text().partition("console at ")
    return rest.split()[0] if found and rest.split() else ""
