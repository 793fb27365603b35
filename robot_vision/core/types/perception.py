"""The service's answer to one frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from robot_vision.core.types.frame import Frame
from robot_vision.core.types.outputs import Grounded, ModelResults
from robot_vision.core.types.tracks import Lifted, Tracks


@dataclass(frozen=True, kw_only=True, eq=False)
class Grounding:
    """Detections of a prompt in a frame, and their tracks, which have ids of their own."""

    found: Grounded
    lifted: Lifted | None
    tracks: Tracks


@dataclass(frozen=True, kw_only=True, eq=False)
class Perception(ModelResults):
    """The service's answer to one frame. Every part carries the frame's stamp.

    `stage_s` is the time each stage took; `notes` describe what was missing or degraded.
    `robot_mask` is where the image shows the robot itself, None if unknown.
    """

    stamp_ns: int
    frame: Frame
    lifted: Lifted | None
    tracks: Tracks
    class_names: tuple[str, ...]
    model_id: str
    stage_s: Mapping[str, float]
    notes: tuple[str, ...] = ()
    robot_mask: Bool[np.ndarray, "h w"] | None = None
    grounding: Grounding | None = None
