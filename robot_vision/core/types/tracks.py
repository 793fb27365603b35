"""Detections in 3-D, and tracked objects."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from robot_vision.core.types.frame import Camera
from robot_vision.core.types.outputs import Detections


@dataclass(frozen=True, kw_only=True, eq=False)
class Lifted:
    """Detections in 3-D, row by row: NaN where the box has no usable depth."""

    position_in_camera_m: Float32[np.ndarray, "n 3"]
    covariance_m2: Float32[np.ndarray, "n 3 3"]
    size_m: Float32[np.ndarray, "n 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurements:
    """The tracker's input for one frame.

    `image_size_px` is the width and height at which the image cuts boxes off; without it boxes
    count as complete.
    """

    detections: Detections
    image_size_px: tuple[int, int] | None = None
    lifted: Lifted | None = None
    appearance: Float32[np.ndarray, "n d"] | None = None
    camera: Camera | None = None
    fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    gray: UInt8[np.ndarray, "h w"] | None = None

    @property
    def stamp_ns(self) -> int:
        return self.detections.stamp_ns


class TrackState(IntEnum):
    """Tentative until there is enough evidence; coasting while predicted without a detection."""

    TENTATIVE = 0
    CONFIRMED = 1
    COASTING = 2
    ENDED = 3


@dataclass(frozen=True, kw_only=True)
class TrackEvent:
    """A change of a track's state at a stamp."""

    stamp_ns: int
    track_id: int
    state: TrackState


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracks:
    """Tracked objects at a stamp; ids are never reused within a run.

    Rows in 3-D are NaN while an object's depth is unknown. Rows whose `state` is COASTING are
    predictions: `unseen_s` says for how long. `detection_index` is the row of the detection that
    updated the track in this frame, −1 if none. `epoch` counts how often stamps jumped back.
    """

    stamp_ns: int
    track_id: Int64[np.ndarray, " n"]
    state: Int64[np.ndarray, " n"]
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    position_in_camera_m: Float32[np.ndarray, "n 3"]
    position_covariance_m2: Float32[np.ndarray, "n 3 3"]
    velocity_in_camera_mps: Float32[np.ndarray, "n 3"]
    velocity_covariance_m2ps2: Float32[np.ndarray, "n 3 3"]
    size_m: Float32[np.ndarray, "n 3"]
    age_s: Float32[np.ndarray, " n"]
    unseen_s: Float32[np.ndarray, " n"]
    detection_index: Int64[np.ndarray, " n"]
    epoch: int = 0
    events: tuple[TrackEvent, ...] = ()

    def __len__(self) -> int:
        return len(self.track_id)
