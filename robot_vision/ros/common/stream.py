"""An even stream: a thread that works at absolute deadlines of the steady clock."""

import os
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread, get_native_id
from time import monotonic, sleep

from robot_vision.core.timing import Percentiles

# A tick that ends later than this share of the period after its deadline is late.
LATE_SHARE = 0.5
_RATE_OVER = 100
_REAL_TIME_PRIORITY = 1
_NICE = -10


@dataclass(frozen=True, kw_only=True)
class Evenness:
    """How even a stream was: ticks so far, those late or missed, lateness in seconds.

    `scheduling` is how the system treats its thread.
    """

    ticks: int
    late: int
    hz: float
    lateness_s: dict[str, float]
    scheduling: str


class Stream:
    """Calls `tick` every `period_s` from construction to `stop`. A failing tick is logged.

    rclpy's timers wait in the executor behind running callbacks; this does not.
    """

    def __init__(
        self, tick: Callable[[], object], period_s: float, *, log: Callable[[str], object]
    ) -> None:
        self._tick = tick
        self._period_s = period_s
        self._log = log
        self._lock = Lock()
        self._lateness = Percentiles(size=6000)
        self._ticks = self._late = 0
        self._recent_s: deque[float] = deque(maxlen=_RATE_OVER)
        self._failed = False
        self._scheduling = ""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No tick begins after this returns."""
        self._stopping.set()
        self._thread.join()

    def evenness(self) -> Evenness:
        with self._lock:
            return Evenness(
                ticks=self._ticks,
                late=self._late,
                hz=rate_hz(self._recent_s),
                lateness_s=self._lateness.summary(),
                scheduling=self._scheduling,
            )

    def _run(self) -> None:
        self._scheduling = _go_first()
        due_s = monotonic() + self._period_s
        while not self._stopping.is_set():
            sleep(max(due_s - monotonic(), 0.0))
            self._work()
            lateness_s = monotonic() - due_s
            # Missed deadlines are skipped: a command is only valid now.
            missed = int(lateness_s / self._period_s)
            self._count(lateness_s, missed)
            due_s += (1 + missed) * self._period_s

    def _work(self) -> None:
        try:
            self._tick()
            self._failed = False
        except Exception:  # one tick; the next one may succeed
            if not self._failed:
                self._log(traceback.format_exc())
            self._failed = True

    def _count(self, lateness_s: float, missed: int) -> None:
        with self._lock:
            self._ticks += 1 + missed
            self._late += missed or int(lateness_s > LATE_SHARE * self._period_s)
            self._lateness.add(lateness_s)
            self._recent_s.append(monotonic())


def _go_first() -> str:
    """Give this thread the highest priority allowed; returns how it is scheduled.

    Real time needs CAP_SYS_NICE or a limit `rtprio`. A tick is short and the thread sleeps
    between ticks; otherwise a busy machine delays one in twenty commands by 5 ms or more.
    """
    this = get_native_id()
    with suppress(OSError, AttributeError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(this, policy, os.sched_param(_REAL_TIME_PRIORITY))
        return "real time"
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, this, _NICE)
        return f"nice {_NICE}"
    return "as others"


def rate_hz(at_s: Sequence[float]) -> float:
    """Events per second, from when they happened."""
    return (len(at_s) - 1) / (at_s[-1] - at_s[0]) if len(at_s) > 1 else 0.0
