"""Data passed between stages: frozen, keyword-only dataclasses of NumPy arrays, units in names.

One internal convention: RGB, height × width × channels, boxes as xyxy in pixels of the full camera
image, metres, seconds, radians. Camera coordinates follow REP 103's optical frame: x right,
y down, z forward. Receivers treat arrays as read-only.
"""

from robot_vision.core.types.frame import Camera, Frame, Picture, RobotView
from robot_vision.core.types.outputs import (
    ROUGH,
    Classification,
    Depth,
    DepthSource,
    Detections,
    Features,
    Grounded,
    ModelResults,
    Percept,
    Phrase,
    Prompt,
    SemanticMap,
    no_detections,
)
from robot_vision.core.types.perception import Grounding, Perception
from robot_vision.core.types.policy import (
    ActionChunk,
    Command,
    Decision,
    Instruction,
    Intervention,
    JointCommand,
    Observation,
    Pointed,
    PointedAt,
    RobotState,
)
from robot_vision.core.types.tracks import Lifted, Measurements, TrackEvent, Tracks, TrackState

__all__ = [
    "ROUGH",
    "ActionChunk",
    "Camera",
    "Classification",
    "Command",
    "Decision",
    "Depth",
    "DepthSource",
    "Detections",
    "Features",
    "Frame",
    "Grounded",
    "Grounding",
    "Instruction",
    "Intervention",
    "JointCommand",
    "Lifted",
    "Measurements",
    "ModelResults",
    "Observation",
    "Percept",
    "Perception",
    "Phrase",
    "Picture",
    "Pointed",
    "PointedAt",
    "Prompt",
    "RobotState",
    "RobotView",
    "SemanticMap",
    "TrackEvent",
    "TrackState",
    "Tracks",
    "no_detections",
]
