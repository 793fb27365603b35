"""What was done other than asked: counted by cause, and told once with the next command."""

from collections import Counter, deque

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Intervention

# While nothing is sent, only the latest interventions are kept to tell; all are counted.
_MOST_UNTOLD = 32

# What stops for less than this is one intervention, not two.
_PAUSE_S = 0.5


class InterventionLog:
    """Interventions since the start. Not locked: its owner is."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._untold: deque[Intervention] = deque(maxlen=_MOST_UNTOLD)
        self._ongoing: dict[str, int] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How often each limit or cause of holding stepped in."""
        return dict(self._counts)

    def add(self, told: Intervention) -> None:
        """Count one, to be told of."""
        self._counts[told.limit] += 1
        self._untold.append(told)

    def tell(self, limit: str, detail: str, now_ns: int) -> None:
        """Count one of now."""
        self.add(Intervention(stamp_ns=now_ns, limit=limit, detail=detail))

    def tell_if_new(self, limit: str, detail: str, now_ns: int) -> None:
        """Tell once of what goes on: again only after a pause, or once all has ended."""
        last_ns = self._ongoing.get(limit)
        if last_ns is None or abs(seconds_between(last_ns, now_ns)) > _PAUSE_S:
            self.tell(limit, detail, now_ns)
        self._ongoing[limit] = now_ns

    def end_all(self) -> None:
        """Nothing goes on any more: what comes now is new."""
        self._ongoing = {}

    def take(self) -> tuple[Intervention, ...]:
        """Those not told of yet, each given out once."""
        told = tuple(self._untold)
        self._untold.clear()
        return told
