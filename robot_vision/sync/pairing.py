"""RGB with depth, by stamp: each colour frame leaves with the nearest depth, or without one.

Pure logic on stamps; what is paired is opaque. A colour frame is released as soon as a depth
within tolerance is there, or depth has passed it by, or the wait is over. Nothing is dropped
without being counted.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from robot_vision.core.clock import NS_PER_S

Rgb = TypeVar("Rgb")
DepthItem = TypeVar("DepthItem")


@dataclass(frozen=True, kw_only=True)
class Pair(Generic[Rgb, DepthItem]):
    """A colour item with its depth item, or with the reason why there is none."""

    stamp_ns: int
    rgb: Rgb
    depth: DepthItem | None
    depth_stamp_ns: int | None
    reason: str


class Pairer(Generic[Rgb, DepthItem]):
    """Pairs the newest colour with the nearest depth within `tolerance_s`.

    `add_rgb` and `add_depth` take items in order of arrival, with the time of arrival; `poll`
    gives the pair that is ready, if any. With `latest_only` one colour frame waits at most;
    without it (replay, where every frame counts) they queue.

    `counts` has `superseded` (a newer colour came first), `no_depth` (none ever came),
    `out_of_tolerance`, `late` (no depth within the wait) and `unused_depth`.
    """

    def __init__(
        self, *, tolerance_s: float, wait_s: float, latest_only: bool = True, depth_keep: int = 8
    ) -> None:
        self._tolerance_ns = round(tolerance_s * NS_PER_S)
        self._wait_ns = round(wait_s * NS_PER_S)
        self._latest_only = latest_only
        self._rgb: deque[tuple[int, int, Rgb]] = deque()
        self._depth: deque[tuple[int, DepthItem]] = deque(maxlen=depth_keep)
        self._depth_seen = False
        self.worst_offset_ns = 0
        self.counts: Counter[str] = Counter()

    def add_rgb(self, stamp_ns: int, item: Rgb, *, arrival_ns: int) -> None:
        if self._latest_only and self._rgb:
            self.counts["superseded"] += len(self._rgb)
            self._rgb.clear()
        self._rgb.append((stamp_ns, arrival_ns, item))

    def add_depth(self, stamp_ns: int, item: DepthItem) -> None:
        self._depth_seen = True
        if len(self._depth) == self._depth.maxlen:
            self.counts["unused_depth"] += 1
        self._depth.append((stamp_ns, item))

    def poll(self, now_ns: int, *, flush: bool = False) -> Pair[Rgb, DepthItem] | None:
        """The oldest waiting colour frame if it is ready; `flush` ends the waiting."""
        if not self._rgb:
            return None
        stamp_ns, arrival_ns, item = self._rgb[0]
        offsets = [abs(depth_ns - stamp_ns) for depth_ns, _ in self._depth]
        nearest = min(range(len(offsets)), key=offsets.__getitem__, default=None)
        found = nearest is not None and offsets[nearest] <= self._tolerance_ns
        passed = any(depth_ns > stamp_ns + self._tolerance_ns for depth_ns, _ in self._depth)
        expired = flush or now_ns - arrival_ns >= self._wait_ns
        if not (found or passed or expired or not self._depth_seen):
            return None
        self._rgb.popleft()
        return self._make_pair(stamp_ns, item, nearest, offsets)

    def waiting_until_ns(self) -> int | None:
        """When `poll` should be called again at the latest, if a frame waits."""
        return self._rgb[0][1] + self._wait_ns if self._rgb else None

    def reset(self) -> None:
        """Forget what waits (stamps went back, or the stream changed)."""
        self._rgb.clear()
        self._depth.clear()
        self._depth_seen = False

    def _make_pair(
        self, stamp_ns: int, item: Rgb, nearest: int | None, offsets: list[int]
    ) -> Pair[Rgb, DepthItem]:
        if nearest is None:
            cause = "late" if self._depth_seen else "no_depth"
            self.counts[cause] += 1
            return Pair(stamp_ns=stamp_ns, rgb=item, depth=None, depth_stamp_ns=None, reason=cause)
        if offsets[nearest] > self._tolerance_ns:
            self.counts["out_of_tolerance"] += 1
            self.worst_offset_ns = max(self.worst_offset_ns, offsets[nearest])
            return Pair(
                stamp_ns=stamp_ns,
                rgb=item,
                depth=None,
                depth_stamp_ns=None,
                reason="out_of_tolerance",
            )
        depth_ns, depth = self._depth[nearest]
        while self._depth and self._depth[0][0] < depth_ns:
            self._depth.popleft()
            self.counts["unused_depth"] += 1
        return Pair(stamp_ns=stamp_ns, rgb=item, depth=depth, depth_stamp_ns=depth_ns, reason="")
