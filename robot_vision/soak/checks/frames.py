"""Checks that every sent frame became a result or was counted as dropped."""

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping

from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.ledger import Ledger

_KEPT = 2000
_DROPPED = "dropped: "


class FrameCount:
    """Colour images sent, against what /diagnostics of perception counts."""

    def __init__(self, ledger: Ledger, config: SoakConfig) -> None:
        self._ledger, self._most = ledger, config.most_lost_frames
        self._sent_ns: deque[int] = deque(maxlen=_KEPT)
        self.sent = 0
        self._outputs: int | None = None
        self._drops = 0
        self._missing: int | None = None
        self._at_first = 0
        self._stamp_ns = 0

    def sent_at(self, now_ns: int) -> None:
        """An image was published."""
        self.sent += 1
        self._sent_ns.append(now_ns)

    def outputs(self, values: Mapping[str, str]) -> None:
        """The status `outputs`."""
        self._outputs = _count(values.get("outputs", ""))

    def inputs(self, stamp_ns: int, values: Mapping[str, str]) -> None:
        """The status `inputs`, which comes before `outputs` in the same message."""
        self._drops = sum(
            _count(value) or 0
            for key, value in values.items()
            if key.startswith(_DROPPED) and not key.startswith(f"{_DROPPED}depth")
        )
        self._stamp_ns = stamp_ns

    def check(self) -> None:
        """At a quiet moment: check that no more frames are missing than at the previous one."""
        missing = self._count_missing()
        if missing is None:
            return
        if self._missing is not None:
            new = missing - self._missing
            words = f"{new} frames are neither results nor counted as dropped"
            self._ledger.check("frames counted", new <= self._most, words)
        else:
            self._at_first = missing
        self._missing = missing

    @property
    def lost(self) -> int | None:
        """Frames not accounted for since the first check, including those in progress."""
        missing = self._count_missing()
        return None if missing is None or self._missing is None else missing - self._at_first

    def _count_missing(self) -> int | None:
        """Frames sent before the last report that it does not account for; None before the
        first."""
        if self._outputs is None:
            return None
        later = len(self._sent_ns) - bisect_right(self._sent_ns, self._stamp_ns)
        return self.sent - later - self._outputs - self._drops


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
