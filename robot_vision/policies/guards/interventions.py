"""Deviations from what the policy requested: counted by cause, reported once with the next
command."""

from collections import Counter, deque

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Intervention

# While nothing is sent, only the latest interventions are kept for reporting; all are counted.
_MOST_WAITING = 32

# Interruptions shorter than this do not split an intervention in two.
_PAUSE_S = 0.5


class InterventionLog:
    """Interventions since the start. Has no lock: its owner locks."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._waiting: deque[Intervention] = deque(maxlen=_MOST_WAITING)
        self._ongoing: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How often each limit or reason to hold applied."""
        return dict(self._counts)

    def add(self, intervention: Intervention) -> None:
        """Count an intervention and queue it for reporting."""
        self._counts[intervention.limit] += 1
        self._waiting.append(intervention)

    def note(self, limit: str, detail: str, now_ns: int) -> None:
        """Count an intervention at the current time."""
        self.add(Intervention(stamp_ns=now_ns, limit=limit, detail=detail))

    def note_if_new(self, limit: str, detail: str, now_ns: int) -> None:
        """Note an ongoing intervention once: again only after a pause, or once all have ended."""
        last_ns = self._ongoing.get(limit)
        if last_ns is None or abs(seconds_between(last_ns, now_ns)) > _PAUSE_S:
            self.note(limit, detail, now_ns)
        self._ongoing[limit] = now_ns

    def end_all(self) -> None:
        """All interventions have ended: any that follow are new."""
        self._ongoing = {}

    def take(self) -> tuple[Intervention, ...]:
        """Interventions not yet reported, each returned once."""
        waiting = tuple(self._waiting)
        self._waiting.clear()
        return waiting
