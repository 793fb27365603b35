"""Assigns detections to tracks: a likelihood ratio for every pair, then the best total."""

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.optimize import linear_sum_assignment

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.tracking.evidence.appearance import AppearanceModel
from robot_vision.tracking.evidence.borders import cut_axes, outwards
from robot_vision.tracking.evidence.observations import Observations
from robot_vision.tracking.kalman import squared_distance
from robot_vision.tracking.motion import axis_shares, noise_px2, scale_px
from robot_vision.tracking.table import TENTATIVE, TrackTable, points_of

# Pairs below this support are rejected whatever their distance in space.
WORTHWHILE = -4.0
# Up to this share of the image an object is small: `prior` applies unchanged.
SMALL_SHARE = 0.004


def associate(
    table: TrackTable,
    seen: Observations,
    *,
    stamp_ns: int,
    image_size_px: tuple[int, int] | None,
    model: AppearanceModel,
    config: TrackerConfig,
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Rows of tracks and rows of observations that belong together.

    In stages, as ByteTrack (Zhang et al., ECCV 2022): confident detections choose first among
    confirmed tracks, then weak ones; tentative tracks take the confident ones that are left.
    """
    if not len(table) or not len(seen):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    support = pair_support(
        table,
        seen,
        stamp_ns=stamp_ns,
        image_size_px=image_size_px,
        model=model,
        config=config,
    )
    high = seen.score >= config.high_score
    tentative = table["state"] == TENTATIVE
    stages = (
        (~tentative, high, 0.0),
        (~tentative, ~high & (seen.score >= config.low_score), config.low_penalty),
        (tentative, high, 0.0),
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
    image_size_px: tuple[int, int] | None,
    model: AppearanceModel,
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """Log-likelihood that a pair belongs together, above that of a new object."""
    gap_s = ((stamp_ns - table["seen_ns"]) / NS_PER_S)[:, None]
    n, box, seen_box = len(table), table["box"], table["seen_box"]
    # An object out of sight may also have stopped: OC-SORT's comparison with the last observation.
    expected = np.concatenate([box["position"], seen_box["position"]])
    scale = scale_px(expected)
    variance = np.concatenate([box["var_position"], seen_box["var_position"]])
    variance += noise_px2(expected, config=config)
    variance[n:] += (config.stop_drift * scale[n:] * axis_shares(config)) ** 2 * gap_s
    support = _box_support(expected, variance, seen, scale=scale, config=config)
    moving, stopped = support[:n], support[n:]
    stopped -= config.stop_penalty
    support = np.maximum(moving, stopped, out=moving)
    support -= config.loss_rate * gap_s + _crowding(scale[:n], image_size_px)
    differs = table["class_id"][:, None] != seen.class_id[None]
    np.subtract(support, config.class_penalty, out=support, where=differs)
    cosine = table["appearance"] @ seen.appearance.T
    support += model.support(cosine, limit=config.appearance_limit)
    support += _depth_support(table, seen, worthwhile=support > WORTHWHILE, config=config)
    return support


def _crowding(
    scale_px: Float[np.ndarray, "n 1"], image_size_px: tuple[int, int] | None
) -> Float[np.ndarray, "n 1"]:
    """Support lost because a new object may equally appear where a track expects its own.

    New objects are spread over the image: the larger they are, the fewer places there are.
    Without the image's size they count as small.
    """
    if image_size_px is None:
        return np.zeros_like(scale_px)
    width_px, height_px = image_size_px
    return np.log(np.maximum(scale_px**2 / (SMALL_SHARE * width_px * height_px), 1.0))


def _box_support(
    expected_cxcywh_px: Float[np.ndarray, "n 4"],
    variance_px2: Float[np.ndarray, "n 4"],
    seen: Observations,
    *,
    scale: Float[np.ndarray, "n 1"],
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """Of Student's t, one for x and one for y, each over centre and size.

    Detectors make large errors more often than a normal predicts. A half-hidden object is off
    along one direction and fits along the other, so the two are judged separately.
    """
    # One quantity at a time and in place: arrays of pairs are large, and allocating is expensive.
    shape = len(expected_cxcywh_px), len(seen)
    unlikely, d2, term = np.ones(shape), np.empty(shape), np.empty(shape)
    for axis in (0, 1):
        d2.fill(1.0)
        for k in (axis, axis + 2):
            np.subtract(expected_cxcywh_px[:, k : k + 1], seen.box_cxcywh_px[:, k], out=term)
            term *= term
            term /= config.tail * variance_px2[:, k : k + 1]
            d2 += term
        cut = np.flatnonzero(cut_axes(seen.cut)[:, axis])
        if len(cut):
            d2[:, cut] = (
                1.0
                + _cut_distance2(
                    expected_cxcywh_px[:, axis::2],
                    variance_px2[:, axis::2],
                    seen_px=seen.box_cxcywh_px[cut, axis::2],
                    outwards=outwards(seen.cut[cut])[:, axis],
                )
                / config.tail
            )
        unlikely *= d2
    support = np.log(unlikely, out=unlikely)
    support *= -0.5 * (config.tail + 2)
    spread = np.log(variance_px2 / scale**2).sum(axis=1)
    support += (config.prior - 0.5 * spread)[:, None]
    return support


def _cut_distance2(
    expected_px: Float[np.ndarray, "n 2"],
    variance_px2: Float[np.ndarray, "n 2"],
    *,
    seen_px: Float[np.ndarray, "k 2"],
    outwards: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "n k"]:
    """Squared distance, in centre and size along one axis, of boxes cut by the border.

    The expected part beyond the border is taken as given: only the edge in the image is judged,
    and that no more is visible than expected.
    """
    longer = expected_px[:, 1:] - seen_px[:, 1]
    hidden = np.maximum(longer, 0.0)
    off = expected_px[:, :1] - seen_px[:, 0] - outwards * hidden / 2
    return off**2 / variance_px2[:, :1] + np.minimum(longer, 0.0) ** 2 / variance_px2[:, 1:]


def _depth_support(
    table: TrackTable,
    seen: Observations,
    *,
    worthwhile: Bool[np.ndarray, "n m"],
    config: TrackerConfig,
) -> Float[np.ndarray, "n m"]:
    """Support of pairs by their distance in space; 0 where the depth of one is unknown."""
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
    tail = config.tail
    support[rows, columns] = config.depth_weight * (
        config.prior - 0.5 * (tail + 3) * np.log1p(d2 / tail)
    )
    return support


def assign(
    support: Float[np.ndarray, "n m"],
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Pairs (row, column) of greatest total support; only pairs of positive support match."""
    rows, columns = linear_sum_assignment(np.maximum(support, 0.0), maximize=True)
    kept = support[rows, columns] > 0
    return rows[kept], columns[kept]
