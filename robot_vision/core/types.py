"""Data passed between stages: frozen, keyword-only dataclasses of NumPy arrays, units in names.

One internal convention: RGB, height × width × channels, boxes as xyxy in pixels of the full camera
image, metres, seconds, radians. Camera coordinates follow REP 103's optical frame: x right,
y down, z forward. Receivers treat arrays as read-only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from robot_vision.core.lens import DistortionModel

DepthSource = Literal["sensor", "model", "fused"]
ROUGH = 0.05
"""Confidence of depth that no sensor measured anywhere in the frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A pinhole camera with a lens, for an image of this size, cropped and rotated as it is."""

    frame_id: str
    width_px: int
    height_px: int
    intrinsics_px: Float64[np.ndarray, "3 3"]
    distortion: Float64[np.ndarray, " k"] = field(default_factory=lambda: np.zeros(0))
    distortion_model: DistortionModel = "plumb_bob"

    @property
    def fx_px(self) -> float:
        return float(self.intrinsics_px[0, 0])

    @property
    def fy_px(self) -> float:
        return float(self.intrinsics_px[1, 1])

    @property
    def cx_px(self) -> float:
        return float(self.intrinsics_px[0, 2])

    @property
    def cy_px(self) -> float:
        return float(self.intrinsics_px[1, 2])

    def same_as(self, other: "Camera | None") -> bool:
        """Whether images of both have the same size, frame and projection."""
        return (
            other is not None
            and (self.frame_id, self.width_px, self.height_px)
            == (other.frame_id, other.width_px, other.height_px)
            and self.distortion_model == other.distortion_model
            and np.array_equal(self.intrinsics_px, other.intrinsics_px)
            and np.array_equal(self.distortion, other.distortion)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotView:
    """Where the robot's own links are in an image, according to its joints.

    `mask` is their outline, even where something is in front of it. `depth_m` is the depth of
    their surface on a coarser grid over the same view, infinite elsewhere.
    """

    mask: Bool[np.ndarray, "h w"]
    depth_m: Float32[np.ndarray, "hc wc"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One colour image, with depth registered to it if available.

    `depth_m` is along the optical axis, NaN where invalid, of any size that covers the same view.
    `camera` is None while no intrinsics are known: detection continues without 3-D. Everything is
    rotated clockwise by `rotated_deg` from the camera's image, and `frame_id` is named
    accordingly. `robot` is None if the pose of the robot's links is unknown.
    """

    stamp_ns: int
    frame_id: str
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: Camera | None = None
    depth_m: Float32[np.ndarray, "hd wd"] | None = None
    depth_stamp_ns: int | None = None
    fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    rotated_deg: int = 0
    robot: RobotView | None = None

    @property
    def nbytes(self) -> int:
        """Size of its pixels in bytes."""
        return self.rgb.nbytes + (0 if self.depth_m is None else self.depth_m.nbytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The encoder's view of a frame: a grid of features and one unit-norm embedding."""

    stamp_ns: int
    grid: Float32[np.ndarray, "c hg wg"]
    stride_px: float
    embedding: Float32[np.ndarray, " d"]
    model_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Depth:
    """Metric depth along the optical axis, NaN where unknown; covers the whole camera view.

    `confidence` is 1 where a sensor measured, decreasing with the distance from such a pixel where
    depth was filled in, `ROUGH` where it is from colour alone, 0 where it is unknown.
    """

    stamp_ns: int
    depth_m: Float32[np.ndarray, "h w"]
    confidence: Float32[np.ndarray, "h w"]
    source: DepthSource
    valid_fraction: float

    @property
    def measured(self) -> Bool[np.ndarray, "h w"]:
        """Where a sensor measured depth; all else is estimated."""
        return self.confidence >= 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """2-D detections of one frame, sorted by descending score.

    `mask` holds one boolean mask per detection on a grid that covers the whole view. `keypoint`
    holds x px, y px and score per keypoint, NaN where unknown; they may lie outside the view.
    `keypoint_names` has a name for each; a model has keypoints where `keypoint` is not None.
    `oriented_box` holds centre x, y, width, height (px) and the angle from x towards y to the
    width (rad); `box_xyxy_px` is then its hull, clipped to the view.
    """

    stamp_ns: int
    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    mask: Bool[np.ndarray, "n hm wm"] | None = None
    keypoint: Float32[np.ndarray, "n k 3"] | None = None
    keypoint_names: tuple[str, ...] = ()
    oriented_box: Float32[np.ndarray, "n 5"] | None = None

    def __len__(self) -> int:
        return len(self.score)


def no_detections(stamp_ns: int, *, like: Detections | None = None) -> Detections:
    """Empty detections; from the same model as `like`, if given."""
    keypoint = None if like is None or like.keypoint is None else like.keypoint[:0]
    oriented = None if like is None or like.oriented_box is None else like.oriented_box[:0]
    return Detections(
        stamp_ns=stamp_ns,
        box_xyxy_px=np.zeros((0, 4), np.float32),
        score=np.zeros(0, np.float32),
        class_id=np.zeros(0, np.int64),
        keypoint=keypoint,
        keypoint_names=() if like is None else like.keypoint_names,
        oriented_box=oriented,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification:
    """Classification of a whole frame: every class with its probability, in descending order."""

    stamp_ns: int
    class_id: Int64[np.ndarray, " c"]
    probability: Float32[np.ndarray, " c"]
    class_names: tuple[str, ...] = ()
    model_id: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SemanticMap:
    """The class of every cell of a grid that covers the whole view; -1 for none.

    `probability` is that of the cell's class; None for models that output classes only.
    """

    stamp_ns: int
    class_id: Int64[np.ndarray, "hm wm"]
    probability: Float32[np.ndarray, "hm wm"] | None = None
    class_names: tuple[str, ...] = ()
    model_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A phrase of a prompt. `problem` says why it cannot be looked for."""

    text: str
    unknown_words: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A text prompt: phrases separated by commas."""

    text: str
    phrases: tuple[Phrase, ...] = ()

    @property
    def sought(self) -> tuple[str, ...]:
        """The phrases that are looked for."""
        return tuple(phrase.text for phrase in self.phrases if not phrase.problem)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the other phrases are not."""
        return tuple(phrase.problem for phrase in self.phrases if phrase.problem)


@dataclass(frozen=True, kw_only=True, eq=False)
class Grounded:
    """Detections of a prompt's phrases in a frame; their classes are rows of `prompt.sought`."""

    prompt: Prompt
    detections: Detections
    model_id: str


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


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelResults:
    """What the models say about one frame: shared by `Percept` and `Perception`."""

    detections: Detections
    depth: Depth | None
    features: Features | None
    classification: Classification | None = None
    segmentation: SemanticMap | None = None

    def results(self) -> dict[str, Any]:
        """The models' results by name, to build another object that has them."""
        return {field.name: getattr(self, field.name) for field in fields(ModelResults)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Percept(ModelResults):
    """The models' results for one frame, before lifting and tracking.

    `stage_s` is the time each stage took; `notes` describe implausible model outputs that were
    left out.
    """

    grounded: Grounded | None = None
    stage_s: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


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


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotState:
    """Where the arm is. The tool point lies between the finger tips, its z axis along them.

    `gripper_open` is measured: 0 closed, 1 open; with a held object it is in between.
    `joint_names` are those of `joint_position_rad`, if known.
    """

    stamp_ns: int
    joint_position_rad: Float64[np.ndarray, " j"]
    base_from_tool: Float64[np.ndarray, "4 4"]
    gripper_open: float
    joint_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A camera's image at a stamp, with depth (m, 0 or NaN where invalid) if it has any."""

    stamp_ns: int
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "hd wd"] | None = None


@dataclass(frozen=True, kw_only=True)
class PointedAt:
    """The tracks that a phrase names in a frame; where there are none, `problem` says why."""

    phrase: str = ""
    track_ids: tuple[int, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Pointed:
    """What a prompt says of the policy's target, and then of its destination.

    Where it names no track the policy points by itself, or holds if `is_required`.
    """

    named: tuple[PointedAt, ...]
    is_required: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """A policy's input: one frame, the arm at its stamp, and earlier states of the arm.

    `history` is oldest first, one state per step of the action spec (of the observation, for a
    policy from pixels), without `robot` itself; shorter than asked for at the beginning.
    `pictures` are those of named cameras, oldest first, up to the stamp. Policies from pixels
    that take nothing of perception may be given `unperceived` frames, whose camera is anywhere.
    `pointed` is None where a prompt has no say in what is pointed at.
    """

    perception: Perception
    base_from_camera: Float64[np.ndarray, "4 4"]
    robot: RobotState
    history: tuple[RobotState, ...] = ()
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)
    pointed: Pointed | None = None

    @property
    def stamp_ns(self) -> int:
        return self.perception.stamp_ns


@dataclass(frozen=True, kw_only=True, eq=False)
class Instruction:
    """What the arm is to do. `encoding` is computed once, when the text arrives.

    `problem` says why it cannot be followed (empty text, unknown words); empty if it can.
    """

    text: str
    tokens: Int64[np.ndarray, " l"]
    encoding: Float32[np.ndarray, "l d"]
    unknown_words: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """A policy's answer to one observation: a chunk of actions, or the reason to hold.

    `action` is as the network gives it, in the units of the spec's statistics: Δxyz, Δrotation
    vector (both in base axes, each step relative to the target before it, the first to the tool
    as observed) and gripper; or positions of the spec's joints and gripper. `attention` covers
    the camera view and sums to one. `masked` says what the policy was to see and did not, and why.
    `inputs` is what the network of a policy from pixels was fed with, without memory and noise.
    """

    stamp_ns: int
    action: Float32[np.ndarray, "t a"] | None
    hold_reason: str = ""
    target_track_id: int = -1
    destination_track_id: int = -1
    attention: Float32[np.ndarray, "h w"] | None = None
    stage_s: Mapping[str, float] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    inputs: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionChunk:
    """Actions in physical units, and the tool poses (absolute targets) that they lead to.

    Row k is for `observation_stamp_ns` + (k + 1) · `step_s`. `action` columns: Δxyz m, Δrotation
    vector rad, gripper 0 closed to 1 open. Expires at `valid_until_ns`.
    """

    observation_stamp_ns: int
    step_s: float
    frame_id: str
    action: Float64[np.ndarray, "t 7"]
    base_from_target: Float64[np.ndarray, "t 4 4"]
    valid_until_ns: int


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """The safety filter changed or rejected something at a stamp."""

    stamp_ns: int
    limit: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class JointCommand:
    """Commanded joint positions (rad or m) and velocities (per second)."""

    names: tuple[str, ...]
    position: Float64[np.ndarray, " j"]
    velocity: Float64[np.ndarray, " j"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Command:
    """The command to the arm at a stamp. `holding` repeats the last pose, for the given `reasons`.

    `action` is the step from the previous command: Δxyz m, Δrotation vector rad, gripper.
    `twist` is linear m/s and angular rad/s in base axes. `joints` are set in joint space.
    """

    stamp_ns: int
    observation_stamp_ns: int
    base_from_tool: Float64[np.ndarray, "4 4"]
    twist: Float64[np.ndarray, "6"]
    gripper_open: float
    action: Float64[np.ndarray, "7"]
    holding: bool
    reasons: tuple[str, ...] = ()
    interventions: tuple[Intervention, ...] = ()
    joints: JointCommand | None = None
