"""What a format declares: how a model of that kind is fed and what its outputs mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.manifests.manifest import ModelManifest

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Boxes above the score threshold, in input pixels; `row` is the index in the output."""

    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]


@runtime_checkable
class Decode(Protocol):
    """Candidates of at least `min_score`; raises `BundleError` if the shapes do not fit."""

    def __call__(
        self, outputs: Outputs, manifest: ModelManifest, *, min_score: float
    ) -> Candidates: ...


@runtime_checkable
class Masks(Protocol):
    """Masks, over the view, of the boxes kept; None where the model has no such outputs.

    `row` is that of the candidates, `box_xyxy_px` lies in the view.
    """

    def __call__(
        self,
        outputs: Outputs,
        manifest: ModelManifest,
        *,
        row: Int64[np.ndarray, " n"],
        box_xyxy_px: Float32[np.ndarray, "n 4"],
        placement: Placement,
    ) -> Bool[np.ndarray, "n hm wm"] | None: ...


@runtime_checkable
class Keypoints(Protocol):
    """x, y in input pixels and score of each keypoint in these rows of the candidates.

    The score is NaN where the model gives none. Returns None where it has no such outputs.
    """

    def __call__(
        self, outputs: Outputs, manifest: ModelManifest, *, row: Int64[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n k 3"] | None: ...


@runtime_checkable
class OrientedBoxes(Protocol):
    """Oriented boxes in these rows of the candidates; the upright boxes are their hulls.

    Centre and size in input pixels, and the angle in radians from x towards y to the width.
    """

    def __call__(
        self, outputs: Outputs, manifest: ModelManifest, *, row: Int64[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 5"]: ...


@runtime_checkable
class CheckOutputs(Protocol):
    """Raises `BundleError` if outputs that `Decode` does not read have unexpected shapes."""

    def __call__(self, outputs: Outputs, manifest: ModelManifest) -> None: ...


@runtime_checkable
class RolesByShape(Protocol):
    """Names of tensors by role, found by shape; `BundleError` where shapes do not decide."""

    def __call__(self, tensors: Outputs, manifest: ModelManifest) -> Mapping[str, str]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Detection:
    """How boxes come out of a model. A format that has it needs the names of classes.

    `needs_nms`: boxes of one object must be suppressed. `weighs_overlaps`: boxes that overlap
    refine the position and score of kept ones. `keypoint_names`: of formats whose
    keypoints are always the same; else the manifest names them.
    """

    decode: Decode
    needs_nms: bool
    weighs_overlaps: bool = False
    masks: Masks | None = None
    keypoints: Keypoints | None = None
    keypoint_names: tuple[str, ...] = ()
    oriented_boxes: OrientedBoxes | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Format:
    """One format. Register it with `register_format` in the file that implements it.

    `roles` are the outputs that a model must have, `optional_roles` those that are read if
    present. Any format may have more: depth under `depth_role`, `features`, `embedding`;
    `class_probabilities` [1, C], of each class by itself; `semantic` [1, C + 1, h, w], scores of
    the background and then of each class.
    `asked_by_words`: classes are the phrases of a prompt, which the manifest's `prompt` encodes.
    `habits` are fields of `ModelInput`: how the projects that the format comes from prepare
    pictures. `other_names` maps names of tensors, as they export them, to roles; `roles_by_shape`
    finds roles that no name identifies. `readings` maps the fields of `OutputReading` that the
    format knows to the values that its exporters use, the commonest first. An import starts
    from these; the manifest decides.
    """

    name: str
    task: str
    roles: tuple[str, ...]
    optional_roles: tuple[str, ...] = ()
    detection: Detection | None = None
    asked_by_words: bool = False
    check: CheckOutputs | None = None
    roles_by_shape: RolesByShape | None = None
    depth_role: str = "depth"
    depth_kind: Literal["metric", "relative"] = "metric"
    habits: Mapping[str, Any] = field(default_factory=dict)
    other_names: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
