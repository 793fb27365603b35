"""Runs frames through the live pipeline: every one in order, or paced and dropped as when live."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic_ns, perf_counter

import numpy as np

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.types import Frame, Perception
from robot_vision.pipeline import Pipeline
from robot_vision.replay.reading.frames import (
    FrameSource,
    Intrinsics,
    RawFrame,
    RecordedStep,
    decode,
)
from robot_vision.replay.running.feeding import MOST_WAITING_BYTES, NewestWins, fed, read_ahead

READ_AHEAD = 4


# A longer jump means that the clock was set, or is too long to wait for.
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """`rate` 0: as fast as possible, every frame; above 0: a multiple of real time.

    `from_s` and `to_s` are seconds after the first frame. Raises `ConfigError` if they are
    reversed, or if `intrinsics_px` is not fx, fy, cx and cy.
    """

    rate: float = 0.0
    from_s: float = 0.0
    to_s: float = float("inf")
    intrinsics_px: Intrinsics | None = None

    def __post_init__(self) -> None:
        if not self.from_s <= self.to_s:
            raise ConfigError(
                f"from {self.from_s:g} s to {self.to_s:g} s: expected an end after the beginning"
            )
        given = self.intrinsics_px
        if given is not None and not _are_intrinsics(given):
            raise ConfigError(
                f"intrinsics {quoted(given)}: expected finite fx, fy, cx, cy in pixels, the focal "
                "lengths fx and fy above 0"
            )


def _are_intrinsics(given: Intrinsics) -> bool:
    is_four = np.shape(given) == (4,)  # not the matrix
    return is_four and bool(np.isfinite(given).all()) and min(given[:2]) > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Processed:
    """A frame's result. `stage_s` has the pipeline's stages, `decode`, and, when paced, `age`:
    from the moment the frame was due until its result was ready."""

    number: int
    perception: Perception
    stage_s: Mapping[str, float]
    recorded: RecordedStep | None = None


@dataclass
class RunCounts:
    """Counts of a source's frames by outcome."""

    read: int = 0
    processed: int = 0
    undecodable: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def run(
    source: FrameSource,
    pipeline: Pipeline,
    *,
    options: RunOptions,
    counts: RunCounts,
) -> Iterator[Processed]:
    """Answers in the order of the frames' stamps; `counts` is filled on the way."""
    raw_frames = between(source.raw_frames(), options)
    if options.rate > 0:
        decoded = _paced(raw_frames, source, options, counts)
    else:
        decoded = read_ahead(
            _decoded(raw_frames, source, options, counts),
            size=READ_AHEAD,
            weigh=lambda item: item[0].nbytes,
            most_bytes=MOST_WAITING_BYTES,
        )
    for frame, recorded, decode_s, due_ns in decoded:
        perception = pipeline.process(frame)
        stage_s = {"decode": decode_s, **perception.stage_s}
        if due_ns is not None:
            stage_s["age"] = seconds_between(due_ns, monotonic_ns())
        yield Processed(
            number=counts.processed, perception=perception, stage_s=stage_s, recorded=recorded
        )
        counts.processed += 1


def between(raw_frames: Iterator[RawFrame], options: RunOptions) -> Iterator[RawFrame]:
    """Those from `options.from_s` to `to_s` after the first."""
    first_ns = None
    for raw in raw_frames:
        first_ns = raw.stamp_ns if first_ns is None else first_ns
        since_s = seconds_between(first_ns, raw.stamp_ns)
        if since_s > options.to_s:
            return
        if since_s >= options.from_s:
            yield raw


def _decoded(
    raw_frames: Iterator[RawFrame], source: FrameSource, options: RunOptions, counts: RunCounts
) -> Iterator[tuple[Frame, RecordedStep | None, float, None]]:
    for raw in raw_frames:
        counts.read += 1
        frame, decode_s = _decode(raw, source, options, counts)
        if frame is not None:
            yield frame, raw.recorded, decode_s, None


def _decode(
    raw: RawFrame, source: FrameSource, options: RunOptions, counts: RunCounts
) -> tuple[Frame | None, float]:
    start_s = perf_counter()
    frame = decode(raw, source.health.problems, intrinsics_px=options.intrinsics_px)
    counts.undecodable += frame is None
    return frame, perf_counter() - start_s


def _paced(
    raw_frames: Iterator[RawFrame], source: FrameSource, options: RunOptions, counts: RunCounts
) -> Iterator[tuple[Frame, RecordedStep | None, float, int]]:
    """Each frame at its time; a newer one replaces one that is still waiting, as live."""
    slot = NewestWins[tuple[RawFrame, int]]()

    def feed() -> None:
        begin_ns, first_ns, last_ns = monotonic_ns(), 0, None
        for raw in raw_frames:
            if last_ns is None or not 0 <= raw.stamp_ns - last_ns <= LONGEST_PAUSE_S * NS_PER_S:
                begin_ns, first_ns = monotonic_ns(), raw.stamp_ns
                if last_ns is not None:
                    jump_s = seconds_between(last_ns, raw.stamp_ns)
                    source.health.problems.add(
                        "stamps jump", f"by {jump_s:+.1f} s: not waited for"
                    )
            last_ns = raw.stamp_ns
            due_ns = begin_ns + round((raw.stamp_ns - first_ns) / options.rate)
            if slot.closed.wait(max(due_ns - monotonic_ns(), 0) / NS_PER_S):
                return
            counts.read += 1
            if slot.put((raw, due_ns)):
                counts.dropped["superseded by a newer frame"] += 1

    for raw, due_ns in fed(slot, feed):
        frame, decode_s = _decode(raw, source, options, counts)
        if frame is not None:
            yield frame, raw.recorded, decode_s, due_ns
