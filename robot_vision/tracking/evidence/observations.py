"""Prepares measurements for tracking: finite, in an order that does not depend on the sender."""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer

from robot_vision.core.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from robot_vision.core.types import Lifted, Measurements
from robot_vision.tracking.evidence.borders import cut_sides

MAX_DISTANCE_M = 1e5
MIN_VARIANCE_M2 = 1e-6
MAX_VARIANCE_M2 = 1e4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Observations:
    """Detections by falling score, in 64 bits; `index` is each one's row in the input.

    `position_m`, `covariance_m2` and `size_m` are NaN where there is no depth, `appearance`
    (unit rows) where there is none. `cut` marks the sides cut by the image's border.
    """

    index: Int64[np.ndarray, " n"]
    box_cxcywh_px: Float[np.ndarray, "n 4"]
    box_xyxy_px: Float[np.ndarray, "n 4"]
    cut: Bool[np.ndarray, "n 4"]
    score: Float[np.ndarray, " n"]
    class_id: Int64[np.ndarray, " n"]
    position_m: Float[np.ndarray, "n 3"]
    covariance_m2: Float[np.ndarray, "n 3 3"]
    size_m: Float[np.ndarray, "n 3"]
    appearance: Float[np.ndarray, "n d"]

    def __len__(self) -> int:
        return len(self.index)


def observe(measurements: Measurements) -> Observations:
    """Clean and order measurements.

    Rows whose box or score is not finite are left out with a warning; scores are clipped to
    0 … 1, covariances are made positive definite.
    """
    detections = measurements.detections
    usable = np.isfinite(detections.box_xyxy_px).all(axis=1) & np.isfinite(detections.score)
    if not usable.all():
        logger.warning("%d detections are not finite: ignored", np.count_nonzero(~usable))
    boxes = xyxy_to_cxcywh(detections.box_xyxy_px)
    score = np.clip(detections.score.astype(np.float64), 0.0, 1.0)
    position, covariance, size = _points(measurements.lifted, n=len(detections))
    # Ties are broken by content, so that shuffled detections give the same tracks.
    keys = (*position.T, *boxes.T, detections.class_id, -detections.score)
    order = np.lexsort(keys)
    order = order[usable[order]]
    ordered_xyxy_px = cxcywh_to_xyxy(boxes[order])
    return Observations(
        index=order.astype(np.int64),
        box_cxcywh_px=boxes[order],
        box_xyxy_px=ordered_xyxy_px,
        cut=cut_sides(ordered_xyxy_px, measurements.image_size_px),
        score=score[order],
        class_id=detections.class_id[order],
        position_m=position[order],
        covariance_m2=covariance[order],
        size_m=size[order],
        appearance=_unit_rows(measurements.appearance, n=len(detections))[order],
    )


def take(
    seen: Observations, index: Bool[np.ndarray, " n"] | Integer[np.ndarray, " m"]
) -> Observations:
    """The rows that `index` (a mask or row numbers) selects."""
    return Observations(**{name: values[index] for name, values in vars(seen).items()})


def _points(lifted: Lifted | None, *, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    position = np.full((n, 3), np.nan)
    covariance = np.full((n, 3, 3), np.nan)
    if lifted is None:
        return position, covariance, np.full((n, 3), np.nan)
    known = np.isfinite(lifted.position_in_camera_m).all(axis=1)
    known &= np.isfinite(lifted.covariance_m2).all(axis=(1, 2))
    position[known] = np.clip(lifted.position_in_camera_m[known], -MAX_DISTANCE_M, MAX_DISTANCE_M)
    covariance[known] = _positive_definite(lifted.covariance_m2[known].astype(np.float64))
    return position, covariance, lifted.size_m.astype(np.float64)


def _positive_definite(matrices: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    symmetric = (matrices + matrices.transpose(0, 2, 1)) / 2
    if _within_bounds(symmetric):
        return symmetric
    values, vectors = np.linalg.eigh(symmetric)
    values = np.clip(values, MIN_VARIANCE_M2, MAX_VARIANCE_M2)
    return (vectors * values[:, None, :]) @ vectors.transpose(0, 2, 1)


def _within_bounds(symmetric: Float[np.ndarray, "n 3 3"]) -> bool:
    """Whether every variance, in any direction, is within bounds: far cheaper than eigenvalues."""
    if (symmetric.trace(axis1=1, axis2=2) > MAX_VARIANCE_M2).any():
        return False
    try:
        np.linalg.cholesky(symmetric - MIN_VARIANCE_M2 * np.eye(3))
    except np.linalg.LinAlgError:
        return False
    return True


def _unit_rows(rows: np.ndarray | None, *, n: int) -> Float[np.ndarray, "n d"]:
    if rows is None:
        return np.zeros((n, 0))
    rows = rows.astype(np.float64)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    usable = np.isfinite(norm) & (norm > 1e-9)
    return np.divide(rows, norm, out=np.full(rows.shape, np.nan), where=usable)
