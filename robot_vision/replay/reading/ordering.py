"""Sorts a recording's images by stamp, and drops depth on another clock than colour's.

They are sorted within a window of `ORDER_S` and `limits.window_mb`; only that window is held, so
memory grows neither with the recording nor with its claimed stamps.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.replay.reading.frames import InputHealth

ORDER_S = 0.5
RESTART_S = 2.0
# Depth images held until the first colour image shows colour's clock.
_EARLY_DEPTH = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedImage:
    """An image that is not decoded yet; `size_px` is width and height, zeros if unknown."""

    stamp_ns: int
    log_ns: int
    is_depth: bool
    content: Any
    msgtype: str
    size_px: tuple[int, int]
    size_bytes: int


def of_one_clock(images: Iterator[RecordedImage], health: InputHealth) -> Iterator[RecordedImage]:
    """Colour, and depth whose stamps are on colour's clock.

    A stream's clock is identified by the offset of its stamps from the recording time, which is
    one clock for all. That offset changes in a recording of simulated time that ran slower or
    faster; there, stamps close to colour's show that the clock is the same. Depth on another clock
    cannot be paired.
    """
    color: RecordedImage | None = None
    early: deque[RecordedImage] = deque(maxlen=_EARLY_DEPTH)
    for image in images:
        if image.is_depth:
            early.append(image)
        else:
            color = image
        while color is not None and early:
            depth = early.popleft()
            apart_s = seconds_between(color.stamp_ns, depth.stamp_ns)
            ahead_s = apart_s - seconds_between(color.log_ns, depth.log_ns)
            if min(abs(apart_s), abs(ahead_s)) <= RESTART_S:
                yield depth
                continue
            detail = f"its stamps are {ahead_s:+.1f} s from colour's: depth is not used"
            health.problems.add("depth on another clock", detail)
        if not image.is_depth:
            yield image


def in_order(
    images: Iterator[RecordedImage], *, tolerance_s: float, window_bytes: int, health: InputHealth
) -> Iterator[RecordedImage | None]:
    """Images by increasing stamp, depth ahead by the tolerance so that the nearest is known in
    time.

    None marks a jump back of more than `RESTART_S`: a loop, or another run.
    """
    lead_ns = round(tolerance_s * NS_PER_S)
    waiting: list[tuple[int, int, RecordedImage]] = []
    newest_ns = released_ns = -1
    held_bytes = 0
    for number, image in enumerate(images):
        if newest_ns - image.stamp_ns > RESTART_S * NS_PER_S:
            yield from (item for _, _, item in sorted(waiting, key=lambda entry: entry[:2]))
            waiting.clear()
            newest_ns = released_ns = -1
            held_bytes = 0
            health.problems.add("stamps went back", f"to {image.stamp_ns} ns: tracking restarts")
            yield None
        key_ns = image.stamp_ns - (lead_ns if image.is_depth else 0)
        if key_ns < released_ns:
            health.problems.add("too late to be put in order", f"stamp {image.stamp_ns} ns")
            continue
        heapq.heappush(waiting, (key_ns, number, image))
        newest_ns = max(newest_ns, image.stamp_ns)
        held_bytes += image.size_bytes
        while waiting and (
            waiting[0][0] < newest_ns - ORDER_S * NS_PER_S or held_bytes > window_bytes
        ):
            released_ns, _, ready = heapq.heappop(waiting)
            held_bytes -= ready.size_bytes
            yield ready
    yield from (item for _, _, item in sorted(waiting, key=lambda entry: entry[:2]))
