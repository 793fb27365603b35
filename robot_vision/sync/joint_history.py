"""Joint positions at a stamp, from the reports of several publishers, each joint's own."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from threading import Lock

import numpy as np

from robot_vision.core.cameras.geometry import joints_between
from robot_vision.core.clock import seconds_between
from robot_vision.core.files.foreign import quoted

_MOST_JOINTS = 256
_MOST_REPORTS = 2000  # per joint: two seconds of the fastest arms
# A stamp behind the newest by more than this is not a late report: the clock restarted.
_RESTART_S = 1.0

_Reports = deque[tuple[int, float]]


class JointHistory:
    """The recent reports of each joint, in the order of their stamps; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reports: dict[str, _Reports] = {}

    def add(self, names: Sequence[str], positions: Sequence[float], *, stamp_ns: int) -> None:
        """Take a report (rad or m); one without positions (only velocities, say) changes nothing.

        Raises `ValueError` for names that do not match the positions, positions that are not
        finite, or for more joints than any robot has.
        """
        if not len(positions):
            return
        if len(names) != len(positions) or not np.isfinite(positions).all():
            raise ValueError(
                f"joint_states has {len(positions)} positions for {len(names)} names, such as "
                f"{quoted(names[0] if names else '')}; expected a finite one for each"
            )
        with self._lock:
            if len(self._reports.keys() | set(names)) > _MOST_JOINTS:
                raise ValueError(f"joint_states has more than {_MOST_JOINTS} joints")
            for name, position in zip(names, positions, strict=True):
                reports = self._reports.setdefault(name, deque(maxlen=_MOST_REPORTS))
                _add(reports, stamp_ns, float(position))

    def heard_until_ns(self, names: Sequence[str]) -> int | None:
        """The stamp up to which all of these have been reported; None while one never was."""
        with self._lock:
            if not all(self._reports.get(name) for name in names):
                return None
            return min(self._reports[name][-1][0] for name in names)

    def at(
        self, names: Sequence[str], stamp_ns: int, *, max_age_s: float
    ) -> tuple[dict[str, float], str]:
        """Positions at a stamp by name, interpolated between the reports around it.

        Joints that were never reported are left out. After the newest report its positions hold:
        nothing is extrapolated. The text names a joint without a report within `max_age_s` of the
        stamp, and then there are no positions; it is empty if all have one.
        """
        known, before, after = [], [], []
        with self._lock:
            for name in names:
                if reports := self._reports.get(name):
                    known.append(name)
                    first, second = _around(reports, stamp_ns)
                    before.append(first)
                    after.append(second)
        for name, *near in zip(known, before, after, strict=True):
            away_s = min((abs(seconds_between(at_ns, stamp_ns)) for at_ns, _ in near))
            if away_s > max_age_s:
                return {}, (
                    f"joint {quoted(name)} was last reported {away_s:.3f} s away from the frame; "
                    f"at most {max_age_s:g} s is accepted"
                )
        return _between(known, before, after, stamp_ns), ""


def _add(reports: _Reports, stamp_ns: int, position: float) -> None:
    if reports and stamp_ns <= reports[-1][0]:
        if seconds_between(stamp_ns, reports[-1][0]) < _RESTART_S:
            return
        reports.clear()
    reports.append((stamp_ns, position))


def _around(reports: _Reports, stamp_ns: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """The last report up to a stamp and the first one after it; the same one twice at the ends."""
    after = bisect_right(reports, stamp_ns, key=lambda report: report[0])
    return reports[max(after - 1, 0)], reports[min(after, len(reports) - 1)]


def _between(
    names: Sequence[str],
    before: Sequence[tuple[int, float]],
    after: Sequence[tuple[int, float]],
    stamp_ns: int,
) -> dict[str, float]:
    if not names:
        return {}
    shares = [
        (stamp_ns - first) / (second - first) if second > first else 0.0
        for (first, _), (second, _) in zip(before, after, strict=True)
    ]
    start = np.array([position for _, position in before])
    end = np.array([position for _, position in after])
    found = [
        joints_between(start[k : k + 1], end[k : k + 1], share)[0]
        for k, share in enumerate(shares)
    ]
    return dict(zip(names, map(float, found), strict=True))
