"""Kalman filters over arrays of objects: one call predicts or updates them all.

Both filters follow a nearly constant velocity driven by white-noise acceleration, discretised
for the true time step (Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking
and Navigation", 2001, section 6.2.2), so that noise is given per second and not per frame.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True, eq=False)
class AxisStates:
    """States of independent scalars: position, velocity and their covariance.

    The 2×2 covariances are kept as three arrays, which makes every step a few array operations.
    """

    position: Float[np.ndarray, "n k"]
    velocity: Float[np.ndarray, "n k"]
    var_position: Float[np.ndarray, "n k"]
    cov_position_velocity: Float[np.ndarray, "n k"]
    var_velocity: Float[np.ndarray, "n k"]


def predict_axes(
    states: AxisStates,
    *,
    dt_s: float | Float[np.ndarray, "n 1"],
    acceleration_psd: Float[np.ndarray, "n k"],
    damping_per_s: Float[np.ndarray, " k"],
) -> AxisStates:
    """Move states on by `dt_s`; velocity `k` decays at `damping_per_s[k]`.

    `acceleration_psd` is the power of the white acceleration, in units² per second³.
    """
    keep = np.exp(-damping_per_s * dt_s)
    # How long a decaying velocity effectively acts; dt_s where it does not decay.
    reach_s = np.where(damping_per_s > 0, (1 - keep) / np.maximum(damping_per_s, 1e-9), dt_s)
    q = acceleration_psd * dt_s
    return AxisStates(
        position=states.position + reach_s * states.velocity,
        velocity=keep * states.velocity,
        var_position=states.var_position
        + 2 * reach_s * states.cov_position_velocity
        + reach_s**2 * states.var_velocity
        + q * dt_s**2 / 3,
        cov_position_velocity=keep * (states.cov_position_velocity + reach_s * states.var_velocity)
        + q * dt_s / 2,
        var_velocity=keep**2 * states.var_velocity + q,
    )


def update_axes(
    states: AxisStates,
    *,
    measured: Float[np.ndarray, "n k"],
    variance: Float[np.ndarray, "n k"],
) -> AxisStates:
    """Correct states by one measured position each, of the given variance."""
    total = states.var_position + variance
    gain_position = states.var_position / total
    gain_velocity = states.cov_position_velocity / total
    innovation = measured - states.position
    return AxisStates(
        position=states.position + gain_position * innovation,
        velocity=states.velocity + gain_velocity * innovation,
        var_position=gain_position * variance,
        cov_position_velocity=gain_velocity * variance,
        var_velocity=np.maximum(
            states.var_velocity - gain_velocity * states.cov_position_velocity, 0.0
        ),
    )


# Blocks of 6×6 matrices over (position, velocity); built once, as every frame needs them.
_EYE = np.eye(6)
_POSITION, _VELOCITY = np.diag([1.0, 1, 1, 0, 0, 0]), np.diag([0.0, 0, 0, 1, 1, 1])
_POSITION_BY_VELOCITY = np.eye(6, k=3)
_CROSS = _POSITION_BY_VELOCITY + _POSITION_BY_VELOCITY.T


@dataclass(frozen=True, kw_only=True, eq=False)
class PointStates:
    """States of points: mean (x, y, z, vx, vy, vz) and covariance; NaN while never measured."""

    mean: Float[np.ndarray, "n 6"]
    covariance: Float[np.ndarray, "n 6 6"]


def start_points(
    position_m: Float[np.ndarray, "n 3"],
    covariance_m2: Float[np.ndarray, "n 3 3"],
    *,
    speed_std_mps: float,
) -> PointStates:
    """States of points of unknown speed: zero, with `speed_std_mps` in each axis."""
    n = len(position_m)
    mean = np.concatenate([position_m, np.zeros((n, 3))], axis=1)
    covariance = np.zeros((n, 6, 6))
    covariance[:, :3, :3] = covariance_m2
    covariance[:, 3:, 3:] = np.eye(3) * speed_std_mps**2
    return PointStates(mean=mean, covariance=covariance)


def predict_points(states: PointStates, *, dt_s: float, acceleration_psd: float) -> PointStates:
    """Move points on by `dt_s`; `acceleration_psd` is in m²/s³ per axis."""
    transition = _EYE + dt_s * _POSITION_BY_VELOCITY
    noise = dt_s**3 / 3 * _POSITION + dt_s**2 / 2 * _CROSS + dt_s * _VELOCITY
    return PointStates(
        mean=states.mean @ transition.T,
        covariance=transition @ states.covariance @ transition.T + acceleration_psd * noise,
    )


def update_points(
    states: PointStates,
    *,
    measured_m: Float[np.ndarray, "n 3"],
    covariance_m2: Float[np.ndarray, "n 3 3"],
) -> PointStates:
    """Correct points by one measured position each."""
    total = states.covariance[:, :3, :3] + covariance_m2
    gain = np.linalg.solve(total, states.covariance[:, :3, :]).transpose(0, 2, 1)
    innovation = measured_m - states.mean[:, :3]
    mean = states.mean + (gain @ innovation[..., None])[..., 0]
    # Joseph's form stays symmetric and positive where the short one loses precision.
    keep = np.empty_like(states.covariance)
    keep[:] = _EYE
    keep[:, :, :3] -= gain
    covariance = keep @ states.covariance @ keep.transpose(0, 2, 1)
    covariance += gain @ covariance_m2 @ gain.transpose(0, 2, 1)
    return PointStates(mean=mean, covariance=covariance)


def squared_distance(
    states: PointStates,
    *,
    measured_m: Float[np.ndarray, "n 3"],
    covariance_m2: Float[np.ndarray, "n 3 3"],
) -> Float[np.ndarray, " n"]:
    """Squared Mahalanobis distance of each measurement from the point in the same row."""
    innovation = measured_m - states.mean[:, :3]
    total = states.covariance[:, :3, :3] + covariance_m2
    solved = np.linalg.solve(total, innovation[..., None])[..., 0]
    return (innovation * solved).sum(axis=1)


def transform_points(states: PointStates, a_from_b: Float[np.ndarray, "4 4"]) -> PointStates:
    """States given in frame b, expressed in frame a (which is at rest with respect to b)."""
    rotation = np.zeros((6, 6))
    rotation[:3, :3] = rotation[3:, 3:] = a_from_b[:3, :3]
    mean = states.mean @ rotation.T
    mean[:, :3] += a_from_b[:3, 3]
    return PointStates(mean=mean, covariance=rotation @ states.covariance @ rotation.T)
