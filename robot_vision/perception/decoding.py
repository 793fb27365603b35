"""What a detector's outputs mean, one decoder per format: candidates in pixels of the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import BundleError
from robot_vision.core.manifest import ModelManifest
from robot_vision.core.registry import Registry


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Boxes above the score threshold, in input pixels; `row` is the place in the output."""

    box_xyxy_px: Float32[np.ndarray, "n 4"]
    score: Float32[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]


@runtime_checkable
class Decoder(Protocol):
    """Reads the outputs named by `roles`; raises `BundleError` if their shapes do not fit."""

    @property
    def roles(self) -> tuple[str, ...]: ...

    @property
    def needs_nms(self) -> bool: ...

    @property
    def weighs_overlaps(self) -> bool:
        """Whether boxes that overlap have a say in where kept ones lie and how sure they are."""
        ...

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates: ...


DECODERS: Registry[Decoder] = Registry("detector format")


def best_class(
    scores: Float32[np.ndarray, "n c"], box_xyxy_px: Float32[np.ndarray, "n 4"], min_score: float
) -> Candidates:
    """Candidates from rows of class scores: each row's best class, if it reaches `min_score`."""
    # Few rows have any score that high, and to find these takes no pass along each row.
    row = np.unique(np.flatnonzero(scores >= min_score) // scores.shape[1])
    class_id = scores[row].argmax(axis=1)
    score = scores[row, class_id]
    kept = score >= min_score  # not where another class's score is NaN
    row = row[kept]
    return Candidates(
        box_xyxy_px=box_xyxy_px[row], score=score[kept], class_id=class_id[kept], row=row
    )


def every_class(
    scores: Float32[np.ndarray, "n c"], box_xyxy_px: Float32[np.ndarray, "n 4"], min_score: float
) -> Candidates:
    """Candidates from rows of class scores: one for each class that reaches `min_score`."""
    row, class_id = np.divmod(np.flatnonzero(scores >= min_score), scores.shape[1])
    return Candidates(
        box_xyxy_px=box_xyxy_px[row], score=scores[row, class_id], class_id=class_id, row=row
    )


def xyxy_from_cxcywh(box: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Corners of boxes given as centre and size."""
    half = box[:, 2:] / 2
    return np.concatenate([box[:, :2] - half, box[:, :2] + half], axis=1)


def misfit(manifest: ModelManifest, role: str, output: np.ndarray, expected: str) -> BundleError:
    """The error for an output whose shape is not what the manifest's format and classes say."""
    return BundleError(
        f"bundle {manifest.name!r}: output {role!r} is {list(output.shape)}; format "
        f"{manifest.format!r} with {len(manifest.classes)} classes and an input of "
        f"{manifest.input.width_px}×{manifest.input.height_px} px expects {expected}"
    )
