"""What was done other than asked: counted by cause, and reported once with the next command."""

from collections import Counter, deque

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Intervention

# While nothing is sent, only the latest interventions are kept to report; all are counted.
_MOST_WAITING = 32

# What stops for less than this is one intervention, not two.
_PAUSE_S = 0.5


class InterventionLog:
    """Interventions since the start. Not locked: its owner is."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waiting: deque[Intervention] = deque(maxlen=_MOST_WAITING)
        self._ongoing: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How often each limit or cause of holding stepped in."""
        return dict(self._counts)

    def add(self, intervention: Intervention) -> None:
        """Count one, to be reported."""
        self._counts[intervention.limit] += 1
        self._waiting.append(intervention)

    def note(self, limit: str, detail: str, now_ns: int) -> None:
        """Count one of now."""
        self.add(Intervention(stamp_ns=now_ns, limit=limit, detail=detail))

    def note_if_new(self, limit: str, detail: str, now_ns: int) -> None:
        """Note once what goes on: again only after a pause, or once all has ended."""
        last_ns = self._ongoing.get(limit)
        if last_ns is None or abs(seconds_between(last_ns, now_ns)) > _PAUSE_S:
            self.note(limit, detail, now_ns)
        self._ongoing[limit] = now_ns

    def end_all(self) -> None:
        """Nothing goes on any more: what comes now is new."""
        self._ongoing = {}

    def take(self) -> tuple[Intervention, ...]:
        """Those not reported yet, each given out once."""
        waiting = tuple(self._waiting)
        self._waiting.clear()
        return waiting
