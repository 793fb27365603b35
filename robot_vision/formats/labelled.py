"""Boxes with a label and a score each, from graphs that select the boxes themselves.

With a batch axis of one or without: boxes [1, N, 4] or [N, 4], labels and scores [1, N] or [N].
"""

import numpy as np
from jaxtyping import Float, Shaped

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Outputs
from robot_vision.formats.reading import corners_px


def labelled_boxes(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    """Candidates from the roles `boxes`, `labels` and `scores`; `BundleError` if these do not fit.

    Labels are classes, counted from 1 where the background is the first. Rows with another label
    (a padding class) are dropped.
    """
    boxes = _rows(outputs, "boxes", manifest)
    labels, scores = (
        _column(outputs, role, manifest, rows=len(boxes)) for role in ("labels", "scores")
    )
    return chosen(boxes, labels, scores, manifest, min_score=min_score)


def chosen(
    boxes: Float[np.ndarray, "n 4"],
    labels: Shaped[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    manifest: ModelManifest,
    *,
    min_score: float,
) -> Candidates:
    """Candidates from rows of boxes, labels and scores, read as the manifest says."""
    class_id = labels.astype(np.int64) - (manifest.reading.background == "first")
    known = (class_id >= 0) & (class_id < len(manifest.classes))
    row = np.flatnonzero((scores >= min_score) & known)
    return Candidates(
        box_xyxy_px=corners_px(boxes[row], manifest),
        score=scores[row].astype(np.float32, copy=False),
        class_id=class_id[row],
        row=row,
    )


def check_labels(outputs: Outputs, manifest: ModelManifest) -> None:
    """Raise `BundleError` where labels are not integers: they are some other output."""
    labels = outputs["labels"]
    if not np.array_equal(labels, np.round(labels)):
        raise BundleError(
            f"bundle {manifest.name!r}: output 'labels' holds {labels.ravel()[:3].tolist()} …; "
            "expected class numbers. Name the right tensor in the manifest's outputs"
        )


def _rows(outputs: Outputs, role: str, manifest: ModelManifest) -> np.ndarray:
    boxes = outputs[role]
    rows = boxes[0] if boxes.ndim == 3 and boxes.shape[0] == 1 else boxes
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise misfit(manifest, role, boxes, "[1, N, 4] or [N, 4]")
    return rows


def _column(outputs: Outputs, role: str, manifest: ModelManifest, *, rows: int) -> np.ndarray:
    output = outputs[role]
    if output.shape not in ((1, rows), (rows,)):
        raise misfit(manifest, role, output, f"[1, {rows}] or [{rows}]")
    return output.reshape(rows)
