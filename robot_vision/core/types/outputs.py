"""Outputs of the models for one frame, before lifting and tracking."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Int64

DepthSource = Literal["sensor", "model", "fused"]
ROUGH = 0.05
"""Confidence of depth that no sensor measured anywhere in the frame."""


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
