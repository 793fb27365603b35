"""Tracker test data: frames of measurements with the true objects."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import Measurements


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The objects that a tracker should report in a frame; positions are NaN if unknown."""

    object_id: Int64[np.ndarray, " n"]
    box_xyxy_px: Float[np.ndarray, "n 4"]
    position_in_camera_m: Float[np.ndarray, "n 3"]
    velocity_in_camera_mps: Float[np.ndarray, "n 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequence:
    """Frames in order of time, each with its truth. `notes`: assumptions of the reader."""

    name: str
    notes: tuple[str, ...] = ()
    frame_rate_hz: float
    measurements: tuple[Measurements, ...]
    truths: tuple[Truth, ...]

    def __len__(self) -> int:
        return len(self.truths)


def keep_frames(sequence: Sequence, kept: np.ndarray, *, name: str) -> Sequence:
    """The frames whose numbers are in `kept`, with their own stamps."""
    rate_hz = sequence.frame_rate_hz * len(kept) / max(len(sequence), 1)
    return Sequence(
        name=name,
        frame_rate_hz=rate_hz,
        measurements=tuple(sequence.measurements[k] for k in kept),
        truths=tuple(sequence.truths[k] for k in kept),
    )


def thin(sequence: Sequence, *, frame_rate_hz: float, phase: int = 0) -> Sequence:
    """The frames nearest in time to those of a slower camera starting at frame `phase`.

    They are uneven if the rates do not divide.
    """
    stamps_s = np.array([m.stamp_ns for m in sequence.measurements]) / NS_PER_S
    wanted_s = np.arange(stamps_s[phase], stamps_s[-1] + 1e-6, 1 / frame_rate_hz)
    nearest = np.abs(stamps_s[None, :] - wanted_s[:, None]).argmin(axis=1)
    kept = np.unique(nearest)
    return keep_frames(sequence, kept, name=f"{sequence.name} at {frame_rate_hz:g} FPS")


def thin_all(sequence: Sequence, *, frame_rate_hz: float) -> list[Sequence]:
    """Subsampled from each frame at which a slower camera may start: a single one is chance."""
    phases = max(1, round(sequence.frame_rate_hz / frame_rate_hz))
    return [thin(sequence, frame_rate_hz=frame_rate_hz, phase=k) for k in range(phases)]


def every(sequence: Sequence, step: int) -> list[Sequence]:
    """Every n-th frame only, from each possible start."""
    name = f"{sequence.name}, one in {step}"
    return [
        keep_frames(sequence, np.arange(k, len(sequence), step), name=name) for k in range(step)
    ]


def drop_at_random(sequence: Sequence, *, share: float, seed: int) -> Sequence:
    """The sequence with a share of its frames lost at random."""
    kept = np.flatnonzero(np.random.default_rng(seed).random(len(sequence)) >= share)
    return keep_frames(sequence, kept, name=f"{sequence.name}, {share:.0%} dropped")


def boxes_only(sequence: Sequence) -> Sequence:
    """The sequence without depth, appearance and camera: the input of 2-D trackers."""
    bare = tuple(
        Measurements(detections=m.detections, image_size_px=m.image_size_px)
        for m in sequence.measurements
    )
    return replace(sequence, measurements=bare)
