"""Which detection belongs to which track: a likelihood ratio for every pair, then the best sum."""

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.optimize import linear_sum_assignment

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.config import TrackerConfig
from robot_vision.tracking.appearance import AppearanceModel
from robot_vision.tracking.boxes import cxcywh_to_xyxy, pairwise_iou
from robot_vision.tracking.kalman import squared_distance
from robot_vision.tracking.motion import axis_shares, scale_px
from robot_vision.tracking.observations import Observations
from robot_vision.tracking.table import TENTATIVE, TrackTable, points_of

# Pairs below this support are lost whatever their distance in space says.
WORTHWHILE = -4.0


def associate(
    table: TrackTable,
    seen: Observations,
    *,
    stamp_ns: int,
    model: AppearanceModel,
    config: TrackerConfig,
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Rows of tracks and rows of observations that belong together.

    In two stages, as ByteTrack (Zhang et al., ECCV 2022): sure detections choose first among all
    tracks, unsure ones then among those seen a moment ago.
    """
    if not len(table) or not len(seen):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    support = pair_support(table, seen, stamp_ns=stamp_ns, model=model, config=config)
    high = seen.score >= config.high_score
    tentative = table["state"] == TENTATIVE
    recent = (stamp_ns - table["seen_ns"]) / NS_PER_S <= config.low_recent_s
    stages = (
        (~tentative, high, 0.0),
        (~tentative & recent, ~high & (seen.score >= config.low_score), config.low_penalty),
        (tentative, high, config.tentative_penalty),
    )
    track_free, seen_free = np.ones(len(table), bool), np.ones(len(seen), bool)
    pairs = []
    for tracks, detections, penalty in stages:
        rows = np.flatnonzero(tracks & track_free)
        columns = np.flatnonzero(detections & seen_free)
        if not len(rows) or not len(columns):
            continue
        r, c = assign(support[rows[:, None], columns] - penalty)
        track_free[rows[r]], seen_free[columns[c]] = False, False
        pairs.append(np.stack([rows[r], columns[c]]))
    matched = np.concatenate(pairs, axis=1) if pairs else np.zeros((2, 0), np.int64)
    return matched[0], matched[1]


def pair_support(
    table: TrackTable,
    seen: Observations,
    *,
    stamp_ns: int,
    model: AppearanceModel,
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """Log-likelihood that a pair belongs together, above that of a new object."""
    gap_s = ((stamp_ns - table["seen_ns"]) / NS_PER_S)[:, None]
    n, box, seen_box = len(table), table["box"], table["seen_box"]
    # An object out of sight may also have stopped: OC-SORT's look at the last observation.
    expected = np.concatenate([box["position"], seen_box["position"]])
    scale = scale_px(expected)
    variance = np.concatenate([box["var_position"], seen_box["var_position"]])
    variance += (config.box_noise * scale) ** 2
    variance[n:] += (config.stop_drift * scale[n:] * axis_shares(config)) ** 2 * gap_s
    support = _box_support(expected, variance, seen, scale=scale, config=config)
    support = np.maximum(support[:n], support[n:] - config.stop_penalty)
    overlap = pairwise_iou(cxcywh_to_xyxy(box["position"]), seen.box_xyxy_px)
    support += config.iou_weight * (overlap - 0.5)
    support -= config.loss_rate * gap_s
    support -= config.class_penalty * (table["class_id"][:, None] != seen.class_id[None])
    cosine = table["appearance"] @ seen.appearance.T
    support += model.support(cosine, limit=config.appearance_limit)
    return support + _depth_support(table, seen, worthwhile=support > WORTHWHILE, config=config)


def _box_support(
    expected_cxcywh_px: Float[np.ndarray, "n 4"],
    variance_px2: Float[np.ndarray, "n 4"],
    seen: Observations,
    *,
    scale: Float[np.ndarray, "n 1"],
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """Of a Student's t in centre and size: detectors err more often far off than a normal."""
    # One axis at a time: arrays of pairs are large, and contiguous ones are fast.
    d2 = np.zeros((len(expected_cxcywh_px), len(seen)))
    for expected, variance, box in zip(
        expected_cxcywh_px.T, variance_px2.T, seen.box_cxcywh_px.T, strict=True
    ):
        innovation = np.subtract.outer(expected, box)
        innovation *= innovation
        innovation /= variance[:, None]
        d2 += innovation
    support = config.prior - 0.5 * (config.tail + 4) * np.log1p(d2 / config.tail)
    spread = np.log(variance_px2 / scale**2).sum(axis=1)
    return support - 0.5 * spread[:, None]


def _depth_support(
    table: TrackTable,
    seen: Observations,
    *,
    worthwhile: Bool[np.ndarray, "n m"],
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """What the distance in space says of pairs; 0 where depth of one is not known."""
    known = (
        worthwhile
        & np.isfinite(table["point"]["mean"][:, :1])
        & np.isfinite(seen.position_m[:, 0])
    )
    rows, columns = np.nonzero(known)
    d2 = squared_distance(
        points_of(table["point"][rows]),
        measured_m=seen.position_m[columns],
        covariance_m2=seen.covariance_m2[columns],
    )
    support = np.zeros(known.shape)
    tail = config.depth_tail
    support[rows, columns] = config.depth_weight * (
        config.depth_prior - 0.5 * (tail + 3) * np.log1p(d2 / tail)
    )
    return support


def assign(
    support: Float[np.ndarray, "n m"],
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Pairs (row, column) of greatest total support; only pairs of positive support match."""
    rows, columns = linear_sum_assignment(np.maximum(support, 0.0), maximize=True)
    kept = support[rows, columns] > 0
    return rows[kept], columns[kept]
