"""The simplest tracker there is: a track continues with the box that overlaps its last one
most."""

import numpy as np
from jaxtyping import Float, Int64
from scipy.optimize import linear_sum_assignment

from robot_vision.bench.tracking.mot import Answer
from robot_vision.bench.tracking.tracker_sequences import Sequence
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.clock import NS_PER_S

LEAST_IOU, LEAST_SCORE, PATIENCE_S = 0.3, 0.25, 1.0


def track_by_iou(sequence: Sequence) -> list[Answer]:
    """Tracks of each frame: no motion model, no appearance, and a second's patience."""
    answers = []
    boxes, ids, seen_ns = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.int64)
    next_id = 1
    for measurements in sequence.measurements:
        found = measurements.detections
        now = found.box_xyxy_px[found.score >= LEAST_SCORE].astype(np.float64)
        given = _matched_ids(ids, pairwise_iou(boxes, now))
        new = given == 0
        given[new] = np.arange(next_id, next_id + new.sum())
        next_id += int(new.sum())
        answers.append(Answer(track_id=given, box_xyxy_px=now))
        kept = ~np.isin(ids, given) & (found.stamp_ns - seen_ns <= PATIENCE_S * NS_PER_S)
        boxes = np.concatenate([boxes[kept], now])
        ids = np.concatenate([ids[kept], given])
        seen_ns = np.concatenate([seen_ns[kept], np.full(len(now), found.stamp_ns)])
    return answers


def _matched_ids(
    ids: Int64[np.ndarray, " n"], overlap: Float[np.ndarray, "n m"]
) -> Int64[np.ndarray, " m"]:
    """The track's id for each box, 0 where none overlaps it enough."""
    given = np.zeros(overlap.shape[1], np.int64)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    enough = overlap[rows, columns] >= LEAST_IOU
    given[columns[enough]] = ids[rows[enough]]
    return given
