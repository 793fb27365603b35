"""Moves tracks forward in time and corrects them by detections."""

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.tracking.evidence.borders import cut_axes, whole_boxes
from robot_vision.tracking.evidence.observations import Observations
from robot_vision.tracking.kalman import (
    AxisStates,
    predict_axes,
    predict_points,
    start_points,
    update_axes,
    update_points,
)
from robot_vision.tracking.table import TrackTable, axes_of, empty_table, fill, points_of

# Steps of the straight line along which a track is updated again after a gap.
REPLAY_STEPS = 5
# How an edge's error affects centre and size, where the two edges err independently.
EDGE_SHARES = np.array([0.5, 0.5, 2.0, 2.0])
# How much larger than its visible part, per box size, an object may be that was never seen whole.
CUT_SHARE = 0.5
UNKNOWN_PX2 = 1e12
# After this long nothing is known any more; longer steps would only overflow.
LONGEST_STEP_S = 600.0


def scale_px(box_cxcywh_px: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 1"]:
    """Size of a box as one length: noise in the image is proportional to it."""
    return np.sqrt(np.maximum(box_cxcywh_px[:, 2:3] * box_cxcywh_px[:, 3:4], 1.0))


def axis_shares(config: TrackerConfig) -> Float[np.ndarray, "4"]:
    """How much centre and size of a box change, relative to each other."""
    return np.array([1.0, 1.0, config.size_share, config.size_share])


def noise_px2(
    box_cxcywh_px: Float[np.ndarray, "n 4"], *, config: TrackerConfig
) -> Float[np.ndarray, "n 4"]:
    """Variance of detected boxes in centre and size."""
    return (config.box_noise * scale_px(box_cxcywh_px)) ** 2 * EDGE_SHARES


def start_boxes(seen: Observations, *, config: TrackerConfig) -> AxisStates:
    """States of boxes seen once: velocity unknown, and as large as they appear."""
    box_cxcywh_px = seen.box_cxcywh_px
    scale = scale_px(box_cxcywh_px)
    cut = cut_axes(seen.cut)
    return AxisStates(
        position=box_cxcywh_px,
        velocity=np.zeros_like(box_cxcywh_px),
        var_position=noise_px2(box_cxcywh_px, config=config)
        + (CUT_SHARE * scale) ** 2 * np.concatenate([cut / 4, cut], axis=1),
        cov_position_velocity=np.zeros_like(box_cxcywh_px),
        var_velocity=(config.box_speed * scale * axis_shares(config)) ** 2,
    )


def predict_boxes(
    states: AxisStates,
    *,
    dt_s: float | Float[np.ndarray, "n 1"],
    unrest: float = 1.0,
    config: TrackerConfig,
) -> AxisStates:
    """Move boxes on; speeds of centres persist, those of sizes die out."""
    scale = scale_px(states.position)
    psd = (unrest * config.box_acceleration * scale * axis_shares(config)) ** 2
    damping = np.array([config.box_damping_per_s] * 2 + [config.size_damping_per_s] * 2)
    return predict_axes(states, dt_s=dt_s, acceleration_psd=psd, damping_per_s=damping)


def correct_boxes(
    states: AxisStates,
    box_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    guessed_px: Float[np.ndarray, "n 2"],
    config: TrackerConfig,
) -> AxisStates:
    """Correct boxes by their detections, parts of which may be estimated."""
    variance = noise_px2(box_cxcywh_px, config=config)
    guess = guessed_px > 0
    variance[:, 2:] = np.where(guess, UNKNOWN_PX2, variance[:, 2:])
    return update_axes(states, measured=box_cxcywh_px, variance=variance)


def replay_boxes(
    seen_box: AxisStates,
    box_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    gap_s: Float[np.ndarray, " n"],
    guessed_px: Float[np.ndarray, "n 2"],
    config: TrackerConfig,
) -> AxisStates:
    """Move boxes from where they were last seen to where they are found again.

    The observation-centric re-update of OC-SORT (Cao et al., CVPR 2023): a filter that ran
    blind is rewound and updated along a straight line, so that no error of that time remains.
    """
    states = seen_box
    for step in range(1, REPLAY_STEPS + 1):
        share = step / REPLAY_STEPS
        between = (1 - share) * seen_box.position + share * box_cxcywh_px
        states = predict_boxes(states, dt_s=gap_s[:, None] / REPLAY_STEPS, config=config)
        states = correct_boxes(states, between, guessed_px=guessed_px, config=config)
    return states


def predict_tracks(
    table: TrackTable, *, dt_s: float, unrest: float, config: TrackerConfig
) -> None:
    """Move all tracks on by `dt_s`, in place; none counts as seen yet."""
    dt_s = min(dt_s, LONGEST_STEP_S)
    psd = config.point_acceleration**2
    box, point = axes_of(table["box"]), points_of(table["point"])
    fill(table["box"], predict_boxes(box, dt_s=dt_s, unrest=unrest, config=config))
    fill(table["point"], predict_points(point, dt_s=dt_s, acceleration_psd=psd))
    table["detection_index"] = -1


def correct_tracks(
    table: TrackTable,
    rows: Int64[np.ndarray, " k"],
    seen: Observations,
    *,
    stamp_ns: int,
    config: TrackerConfig,
) -> None:
    """Correct, in place, the tracks at `rows`, each by the row of `seen` at the same index."""
    track = table[rows]
    same_class = track["class_id"] == seen.class_id
    lead = track["class_score"] + np.where(same_class, seen.score, -seen.score)
    track["class_id"] = np.where(lead < 0, seen.class_id, track["class_id"])
    track["class_score"] = np.minimum(np.abs(lead), config.class_memory)
    track["score"] = seen.score
    track["evidence"] += evidence(seen.score)
    _correct_boxes(track, seen, stamp_ns=stamp_ns, config=config)
    _correct_points(track["point"], seen, config=config)
    track["seen_ns"] = stamp_ns
    track["detection_index"] = seen.index
    track["size_m"] = _blend(track["size_m"], seen.size_m, weight=config.blend)
    look = _blend(track["appearance"], seen.appearance, weight=config.blend)
    track["appearance"] = _unit(look)
    table[rows] = track


def start_tracks(
    seen: Observations,
    *,
    worth: Float[np.ndarray, " n"],
    track_id: Int64[np.ndarray, " n"],
    state: Int64[np.ndarray, " n"],
    stamp_ns: int,
    config: TrackerConfig,
) -> TrackTable:
    """A new track for each observation."""
    track = empty_table(len(seen), appearance_width=seen.appearance.shape[1])
    track["track_id"], track["state"] = track_id, state
    track["class_id"], track["class_score"] = seen.class_id, seen.score
    track["score"], track["evidence"] = seen.score, worth
    track["born_ns"] = track["seen_ns"] = stamp_ns
    track["detection_index"] = seen.index
    fill(track["box"], start_boxes(seen, config=config))
    track["seen_box"] = track["box"]
    point = start_points(seen.position_m, seen.covariance_m2, speed_std_mps=config.point_speed_mps)
    fill(track["point"], point)
    track["size_m"], track["appearance"] = seen.size_m, seen.appearance
    return track


def evidence(score: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Log-odds that a detection of this score is an object."""
    bounded = np.clip(score, 0.01, 0.99)
    return np.log(bounded / (1 - bounded))


def _correct_boxes(
    track: TrackTable, seen: Observations, *, stamp_ns: int, config: TrackerConfig
) -> None:
    box = track["box"]
    seen_box, guessed_px = whole_boxes(
        seen.box_cxcywh_px, seen.cut, size_px=box["position"][:, 2:]
    )
    fill(box, correct_boxes(axes_of(box), seen_box, guessed_px=guessed_px, config=config))
    gap_s = (stamp_ns - track["seen_ns"]) / NS_PER_S
    lost = np.flatnonzero(gap_s > config.replay_after_s)
    if len(lost):
        replayed = replay_boxes(
            axes_of(track["seen_box"][lost]),
            seen_box[lost],
            gap_s=gap_s[lost],
            guessed_px=guessed_px[lost],
            config=config,
        )
        for name, values in vars(replayed).items():
            box[name][lost] = values
    track["seen_box"] = box


def _correct_points(point: np.ndarray, seen: Observations, *, config: TrackerConfig) -> None:
    measured = np.isfinite(seen.position_m[:, 0])
    known = np.isfinite(point["mean"][:, 0])
    both = np.flatnonzero(measured & known)
    if len(both):
        updated = update_points(
            points_of(point[both]),
            measured_m=seen.position_m[both],
            covariance_m2=seen.covariance_m2[both],
        )
        point["mean"][both], point["covariance"][both] = updated.mean, updated.covariance
    first = np.flatnonzero(measured & ~known)
    if len(first):
        started = start_points(
            seen.position_m[first],
            seen.covariance_m2[first],
            speed_std_mps=config.point_speed_mps,
        )
        point["mean"][first], point["covariance"][first] = started.mean, started.covariance


def _blend(
    old: Float[np.ndarray, "n k"], new: Float[np.ndarray, "n k"], *, weight: float
) -> Float[np.ndarray, "n k"]:
    """Move `old` towards `new` by `weight`; where one is NaN, the other is taken."""
    mixed = np.where(np.isnan(old), new, old + weight * (new - old))
    return np.where(np.isnan(new), old, mixed)


def _unit(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.maximum(norm, 1e-9)
