"""What detector formats have in common: rows of boxes and scores become candidates."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32, Int64, Shaped

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Outputs

BoxesOf = Callable[[Int64[np.ndarray, " n"]], Float32[np.ndarray, "n 4"]]
"""Boxes of these rows of an output, as corners in input pixels."""


def best_class(
    scores: Float32[np.ndarray, "n c"], box_xyxy_px: Float32[np.ndarray, "n 4"], min_score: float
) -> Candidates:
    """Candidates from rows of class scores: each row's best class, if it reaches `min_score`."""
    # Few rows have any score that high, and finding them takes no pass along each row.
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


def surest_of_objects(
    objectness: Float[np.ndarray, " n"],
    scores: Float[np.ndarray, "n c"],
    boxes_of: BoxesOf,
    *,
    min_score: float,
) -> Candidates:
    """Rows whose objectness × best class score reaches `min_score`."""
    # A class score is at most 1, so objectness alone rules most rows out.
    row = np.flatnonzero(objectness >= min_score)
    joint = objectness[row, None].astype(np.float32) * scores[row].astype(np.float32)
    found = best_class(joint, boxes_of(row), min_score)
    return replace(found, row=row[found.row])


def judged(
    verdict: Float[np.ndarray, "n 2"],
    boxes_of: BoxesOf,
    manifest: ModelManifest,
    *,
    min_score: float,
) -> Candidates:
    """Rows whose score (first) reaches `min_score` and whose class (second) the manifest names.

    A class that is not an integer means the columns are in another order: the row is dropped.
    """
    score, label = verdict.astype(np.float32).T
    named = (label >= 0) & (label < len(manifest.classes)) & (label == np.round(label))
    row = np.flatnonzero((score >= min_score) & named)
    return Candidates(
        box_xyxy_px=boxes_of(row),
        score=score[row],
        class_id=label[row].astype(np.int64),
        row=row,
    )


def hull(oriented_box_px: Float32[np.ndarray, "n 5"]) -> Float32[np.ndarray, "n 4"]:
    """The upright boxes around oriented ones; NaN where a size is not positive."""
    centre, size, angle_rad = np.split(oriented_box_px, [2, 4], axis=1)
    width, height = np.where(size > 0, size, np.nan).T[..., None]
    cos, sin = np.abs(np.cos(angle_rad)), np.abs(np.sin(angle_rad))
    half = np.concatenate([width * cos + height * sin, width * sin + height * cos], axis=1) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def xyxy_from_cxcywh(box: Float32[np.ndarray, "n 4"]) -> Float32[np.ndarray, "n 4"]:
    """Corners of boxes given as centre and size."""
    half = box[:, 2:] / 2
    return np.concatenate([box[:, :2] - half, box[:, :2] + half], axis=1)


def checked_boxes(
    outputs: Outputs, role: str, manifest: ModelManifest
) -> Shaped[np.ndarray, "1 n 4"]:
    """The output of that role; raises `BundleError` unless it is [1, N, 4]."""
    boxes = outputs[role]
    if boxes.ndim != 3 or boxes.shape[0] != 1 or boxes.shape[2] != 4:
        raise misfit(manifest, role, boxes, "[1, N, 4]")
    return boxes
