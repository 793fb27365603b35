"""Pairs RGB with depth by stamp: each colour frame leaves with the nearest depth, or without one.

Pure logic on stamps; the items are opaque. A colour frame is released as soon as no nearer
depth can be expected, or when its wait is over. Nothing is dropped without being counted.
"""

from collections import Counter, deque
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from robot_vision.core.clock import NS_PER_S

Rgb = TypeVar("Rgb")
DepthItem = TypeVar("DepthItem")

# After this many frames in a row waited in vain, depth counts as absent and nothing waits for it.
_ABSENT_AFTER_FRAMES = 5
_RECENT_STAMPS = 8


@dataclass(frozen=True, kw_only=True)
class Pair(Generic[Rgb, DepthItem]):
    """A colour item with its depth item, or with the reason that there is none."""

    stamp_ns: int
    rgb: Rgb
    depth: DepthItem | None
    depth_stamp_ns: int | None
    reason: str


class Pairer(Generic[Rgb, DepthItem]):
    """Pairs the newest colour with the nearest depth within `tolerance_s`.

    `add_rgb` and `add_depth` take items in order of arrival, with the time of arrival; `poll`
    gives the pair that is ready, if any. With `latest_only` one colour frame waits at most;
    without it (replay, where every frame counts) they queue. At most `depth_keep` items of depth
    wait, and `depth_keep_bytes` where `add_depth` has sizes. A stamp that goes back restarts
    pairing: items from before the jump are forgotten.

    `counts` has `superseded` (a newer colour came first), `no_depth` (none is coming),
    `out_of_tolerance`, `late` (no depth within the wait) and `unused_depth`.
    """

    def __init__(
        self,
        *,
        tolerance_s: float,
        wait_s: float,
        latest_only: bool = True,
        depth_keep: int = 8,
        depth_keep_bytes: float = inf,
    ) -> None:
        self.use(tolerance_s=tolerance_s, wait_s=wait_s)
        self._latest_only = latest_only
        self._rgb: deque[tuple[int, int, Rgb]] = deque()
        self._depth: deque[tuple[int, DepthItem, int]] = deque(maxlen=depth_keep)
        self._depth_keep_bytes = depth_keep_bytes
        self._depth_expected = False
        self._in_vain = 0
        self._recent_rgb_ns: deque[int] = deque(maxlen=_RECENT_STAMPS)
        self._recent_offsets_ns: deque[int] = deque(maxlen=_RECENT_STAMPS)
        self.worst_offset_ns = 0
        self.counts: Counter[str] = Counter()

    def use(self, *, tolerance_s: float, wait_s: float) -> None:
        """Pair by these from now on, including items already waiting."""
        self._tolerance_ns = round(tolerance_s * NS_PER_S)
        self._wait_ns = round(wait_s * NS_PER_S)

    def add_rgb(self, stamp_ns: int, item: Rgb, *, arrival_ns: int) -> None:
        if self._recent_rgb_ns and stamp_ns < self._recent_rgb_ns[-1]:
            self._forget_before_jump(stamp_ns, self._recent_rgb_ns[-1])
        if self._latest_only and self._rgb:
            self.counts["superseded"] += len(self._rgb)
            self._rgb.clear()
        self._rgb.append((stamp_ns, arrival_ns, item))
        self._recent_rgb_ns.append(stamp_ns)

    def add_depth(self, stamp_ns: int, item: DepthItem, *, size_bytes: int = 0) -> None:
        if self._depth and stamp_ns < self._depth[-1][0]:
            self.counts["unused_depth"] += len(self._depth)
            self._depth.clear()
        self._depth_expected = True
        self._in_vain = 0
        if len(self._depth) == self._depth.maxlen:
            self.counts["unused_depth"] += 1
        self._depth.append((stamp_ns, item, size_bytes))
        while len(self._depth) > 1 and sum(d[2] for d in self._depth) > self._depth_keep_bytes:
            self._depth.popleft()
            self.counts["unused_depth"] += 1
        if self._recent_rgb_ns:
            self._recent_offsets_ns.append(min(abs(stamp_ns - s) for s in self._recent_rgb_ns))

    def poll(self, now_ns: int, *, flush: bool = False) -> Pair[Rgb, DepthItem] | None:
        """The oldest waiting colour frame if it is ready; `flush` ends the waiting."""
        if not self._rgb:
            return None
        stamp_ns, arrival_ns, item = self._rgb[0]
        settled = flush or self._settled(stamp_ns)
        expired = now_ns - arrival_ns >= self._wait_ns
        if self._depth_expected and not (settled or expired):
            return None
        self._rgb.popleft()
        return self._make_pair(stamp_ns, item, settled=settled)

    def waiting_until_ns(self) -> int | None:
        """The latest time at which to call `poll` again, if a frame waits."""
        return self._rgb[0][1] + self._wait_ns if self._rgb else None

    def reset(self) -> None:
        """Forget what waits (stamps went back, or the stream changed)."""
        self._rgb.clear()
        self._depth.clear()
        self._recent_rgb_ns.clear()
        self._recent_offsets_ns.clear()
        self._depth_expected = False

    def _forget_before_jump(self, stamp_ns: int, last_ns: int) -> None:
        # Depth may have gone back first: items nearer to the new stamp belong to it.
        middle_ns = (stamp_ns + last_ns) // 2
        kept = [entry for entry in self._depth if entry[0] <= middle_ns]
        self.counts["unused_depth"] += len(self._depth) - len(kept)
        self._depth.clear()
        self._depth.extend(kept)
        self.counts["superseded"] += len(self._rgb)
        self._rgb.clear()
        self._recent_rgb_ns.clear()

    def _settled(self, stamp_ns: int) -> bool:
        """Whether no nearer depth can still come.

        Depth that has reached the colour's stamp settles it. Older depth does so only if it is
        as near as depth usually is: at 60 FPS the last frame's depth is within tolerance too.
        """
        if not self._depth:
            return False
        newest_ns = self._depth[-1][0]
        if newest_ns >= stamp_ns:
            return True
        usual_ns = min(self._recent_offsets_ns, default=0)
        return stamp_ns - newest_ns <= min(usual_ns + self._tolerance_ns // 4, self._tolerance_ns)

    def _make_pair(self, stamp_ns: int, item: Rgb, *, settled: bool) -> Pair[Rgb, DepthItem]:
        nearest = min(self._depth, key=lambda entry: abs(entry[0] - stamp_ns), default=None)
        if nearest is None or abs(nearest[0] - stamp_ns) > self._tolerance_ns:
            offset_ns = abs(nearest[0] - stamp_ns) if nearest else None
            reason = self._why_none(offset_ns, settled=settled)
            self.counts[reason] += 1
            return Pair(
                stamp_ns=stamp_ns, rgb=item, depth=None, depth_stamp_ns=None, reason=reason
            )
        nearest_ns, depth, _ = nearest
        while self._depth[0][0] < nearest_ns:
            self._depth.popleft()
            self.counts["unused_depth"] += 1
        return Pair(stamp_ns=stamp_ns, rgb=item, depth=depth, depth_stamp_ns=nearest_ns, reason="")

    def _why_none(self, offset_ns: int | None, *, settled: bool) -> str:
        if settled and offset_ns is not None:
            self.worst_offset_ns = max(self.worst_offset_ns, offset_ns)
            return "out_of_tolerance"
        if not self._depth_expected:
            return "no_depth"
        self._in_vain += 1
        if self._in_vain >= _ABSENT_AFTER_FRAMES:
            self._depth_expected = False
        return "late"
