"""Which detection belongs to which track: gates, a mixed cost and an optimal assignment."""

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.optimize import linear_sum_assignment

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.config import TrackerConfig
from robot_vision.core.types import TrackState
from robot_vision.tracking.boxes import cxcywh_to_xyxy, expand, pairwise_iou
from robot_vision.tracking.kalman import squared_distance
from robot_vision.tracking.observations import Observations
from robot_vision.tracking.table import TrackTable, take

FORBIDDEN = 1e6


def associate(
    table: TrackTable, seen: Observations, *, stamp_ns: int, config: TrackerConfig
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Rows of tracks and rows of observations that belong together.

    In two stages, as ByteTrack (Zhang et al., ECCV 2022): sure detections choose first among all
    tracks, unsure ones then among those seen a moment ago.
    """
    cost, allowed = pair_costs(table, seen, config=config)
    high = seen.score >= config.high_score
    recent = (stamp_ns - table.seen_ns) / NS_PER_S <= config.low_recent_s
    rows, columns = assign(cost, allowed & high)
    free = np.ones(len(table), bool)
    free[rows] = False
    second = allowed & ~high & (free & recent)[:, None] & (cost <= config.low_max_cost)
    low_rows, low_columns = assign(cost, second)
    return np.concatenate([rows, low_rows]), np.concatenate([columns, low_columns])


def pair_costs(
    table: TrackTable, seen: Observations, *, config: TrackerConfig
) -> tuple[Float[np.ndarray, "n m"], Bool[np.ndarray, "n m"]]:
    """Cost of every pair, and whether it may be matched at all."""
    predicted = cxcywh_to_xyxy(table.box.position)
    overlap = pairwise_iou(predicted, seen.box_xyxy_px)
    cost = 1 - overlap
    allowed = overlap >= config.min_iou
    cost = cost + 0.3 * (table.class_id[:, None] != seen.class_id[None])
    distance2 = squared_distance(
        table.point, measured_m=seen.position_m, covariance_m2=seen.covariance_m2
    )
    allowed &= ~(distance2 > config.gate_sigma**2)
    return cost, allowed


def assign(
    cost: Float[np.ndarray, "n m"], allowed: Bool[np.ndarray, "n m"]
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Pairs (row, column) of least total cost among those allowed, as many as can be."""
    rows, columns = linear_sum_assignment(np.where(allowed, cost, FORBIDDEN))
    kept = allowed[rows, columns]
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
