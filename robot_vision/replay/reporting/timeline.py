"""Figures over time in a bounded number of windows: a long recording gets wider ones."""

from dataclasses import dataclass
from typing import Any

MAX_WINDOWS = 256


@dataclass
class _Window:
    first_frame: int
    start_s: float
    frames: int
    sums: dict[str, float]
    counts: dict[str, int]

    def merge(self, other: "_Window") -> "_Window":
        names = [*self.sums, *(name for name in other.sums if name not in self.sums)]
        return _Window(
            first_frame=self.first_frame,
            start_s=self.start_s,
            frames=self.frames + other.frames,
            sums={n: self.sums.get(n, 0.0) + other.sums.get(n, 0.0) for n in names},
            counts={n: self.counts.get(n, 0) + other.counts.get(n, 0) for n in names},
        )


class Timeline:
    """Means of named values over windows of 1, 2, 4, … frames, never more than `MAX_WINDOWS`.

    A value missing in a frame does not count towards its window's mean.
    """

    def __init__(self) -> None:
        self._windows: list[_Window] = []
        self._frames = 0
        self.frames_per_window = 1

    def add(self, start_s: float, values: dict[str, float]) -> None:
        one = _Window(self._frames, start_s, 1, values, dict.fromkeys(values, 1))
        self._frames += 1
        if self._windows and self._windows[-1].frames < self.frames_per_window:
            self._windows[-1] = self._windows[-1].merge(one)
            return
        if len(self._windows) == MAX_WINDOWS:
            pairs = zip(self._windows[::2], self._windows[1::2], strict=True)
            self._windows = [first.merge(second) for first, second in pairs]
            self.frames_per_window *= 2
        self._windows.append(one)

    def rows(self) -> list[dict[str, Any]]:
        """One row per window: `first_frame`, `frames`, `start_s` and the mean of each value."""
        return [
            {
                "first_frame": window.first_frame,
                "frames": window.frames,
                "start_s": round(window.start_s, 6),
                **{
                    name: round(total / window.counts[name], 6)
                    for name, total in window.sums.items()
                },
            }
            for window in self._windows
        ]
