"""What detector formats have in common: rows of boxes and scores become candidates."""

import numpy as np
from jaxtyping import Float32

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Outputs


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


def checked_boxes(outputs: Outputs, role: str, manifest: ModelManifest) -> np.ndarray:
    """The output of that role; raises `BundleError` unless it is [1, N, 4]."""
    boxes = outputs[role]
    if boxes.ndim != 3 or boxes.shape[0] != 1 or boxes.shape[2] != 4:
        raise misfit(manifest, role, boxes, "[1, N, 4]")
    return boxes
