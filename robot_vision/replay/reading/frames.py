"""The output of every frame source, and the health of its streams."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.cameras.frame_check import OTHER_SIZE, size_problem
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.errors import CameraError, EncodingError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Camera, Frame, RobotView
from robot_vision.replay.reading.messages import Problems

Intrinsics: TypeAlias = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels."""

OFFSETS_KEPT = 20_000
MOST_ENCODINGS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedStep:
    """A demonstrator's instruction and action at a frame of a dataset; `action` may be empty."""

    episode_index: int
    step_index: int
    instruction: str
    action: Float64[np.ndarray, " n"]
    action_names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RawFrame:
    """A frame that is not decoded yet, so that a dropped one costs nothing.

    `read_rgb` returns u8 [H, W, 3], `read_depth` f32 [H, W] in metres, or None if it does not fit
    the colour image; both raise `EncodingError`.
    """

    stamp_ns: int
    frame_id: str
    read_rgb: Callable[[], UInt8[np.ndarray, "h w 3"]]
    read_depth: Callable[[], Float32[np.ndarray, "h w"] | None] | None = None
    depth_stamp_ns: int | None = None
    camera: Camera | None = None
    fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    recorded: RecordedStep | None = None
    rotated_deg: int = 0
    robot: RobotView | None = None


class Stream:
    """Rate, gaps and encodings of one topic or file, from its stamps."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind
        self.count = 0
        self.encodings: Counter[str] = Counter()
        self._first_ns = self._last_ns = 0
        self._longest_gap_ns = self._gap_at_ns = 0

    def add(self, stamp_ns: int, encoding: str) -> None:
        if self.count == 0:
            self._first_ns = self._last_ns = stamp_ns
        elif stamp_ns - self._last_ns > self._longest_gap_ns:
            self._longest_gap_ns, self._gap_at_ns = stamp_ns - self._last_ns, self._last_ns
        self._last_ns = max(stamp_ns, self._last_ns)
        self.count += 1
        name = quoted(encoding)[1:-1]
        is_listed = name in self.encodings or len(self.encodings) < MOST_ENCODINGS
        self.encodings[name if is_listed else "others"] += 1

    def as_dict(self) -> dict[str, Any]:
        span_s = seconds_between(self._first_ns, self._last_ns)
        return {
            "name": self.name,
            "kind": self.kind,
            "messages": self.count,
            "rate_hz": (self.count - 1) / span_s if span_s > 0 else 0.0,
            "longest_gap_s": self._longest_gap_ns / NS_PER_S,
            "longest_gap_at_s": seconds_between(self._first_ns, self._gap_at_ns)
            if self._longest_gap_ns
            else 0.0,
            "encodings": dict(self.encodings),
        }


class InputHealth:
    """The state of the inputs: streams, pairing, and every problem met while reading."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.streams: list[Stream] = []
        self.others: dict[str, str] = {}
        self.episodes: list[dict[str, Any]] = []
        self.pairing: Counter[str] = Counter()
        self._offset_s = Percentiles(OFFSETS_KEPT)

    def add_pair(self, stamp_ns: int, depth_stamp_ns: int | None) -> None:
        if depth_stamp_ns is None:
            self.pairing["frames without depth"] += 1
            return
        self.pairing["frames with depth"] += 1
        self._offset_s.add(abs(seconds_between(stamp_ns, depth_stamp_ns)))

    def as_dict(self) -> dict[str, Any]:
        return {
            "streams": [stream.as_dict() for stream in self.streams],
            "other_topics": self.others,
            "episodes": self.episodes,
            "pairing": dict(self.pairing),
            "pairing_offset_s": self._offset_s.summary(),
            "problems": self.problems.as_dict(),
        }


@runtime_checkable
class FrameSource(Protocol):
    """A replayable source. `done` goes from 0 to 1 while frames are read."""

    name: str
    health: InputHealth

    @property
    def done(self) -> float: ...

    def raw_frames(self) -> Iterator[RawFrame]:
        """Frames in order of their stamps, read on demand."""
        ...


def decode(
    raw: RawFrame, problems: Problems, *, intrinsics_px: Intrinsics | None = None
) -> Frame | None:
    """The decoded frame, without depth if that is damaged; None if the colour image is.

    `intrinsics_px` replaces the recorded intrinsics.
    """
    try:
        rgb = raw.read_rgb()
    except EncodingError as error:
        problems.add("colour image not decoded", f"stamp {raw.stamp_ns} ns: {error}")
        return None
    depth_m = None
    if raw.read_depth is not None:
        try:
            depth_m = raw.read_depth()
        except EncodingError as error:
            problems.add("depth image not decoded", f"stamp {raw.stamp_ns} ns: {error}")
    return Frame(
        stamp_ns=raw.stamp_ns,
        frame_id=raw.frame_id,
        rgb=rgb,
        camera=_camera(raw, rgb, intrinsics_px, problems),
        depth_m=depth_m,
        depth_stamp_ns=raw.depth_stamp_ns if depth_m is not None else None,
        fixed_from_camera=raw.fixed_from_camera,
        rotated_deg=raw.rotated_deg,
        robot=raw.robot,
    )


def _camera(
    raw: RawFrame, rgb: np.ndarray, intrinsics_px: Intrinsics | None, problems: Problems
) -> Camera | None:
    height_px, width_px = rgb.shape[:2]
    if intrinsics_px is not None:
        fx, fy, cx, cy = intrinsics_px
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)
        try:
            return checked_camera(
                frame_id=raw.frame_id, width_px=width_px, height_px=height_px, intrinsics_px=matrix
            )
        except CameraError as error:
            problems.add("intrinsics invalid", f"--intrinsics has {error}")
            return None
    if raw.camera is None:
        return None
    if problem := size_problem(raw.camera, width_px=width_px, height_px=height_px):
        problems.add(OTHER_SIZE, problem)
        return None
    return raw.camera
