"""What a lens does to rays: OpenCV's distortion models, and their inverses.

Rays are (x, y) of a direction (x, y, 1). `plumb_bob` (Brown, 1966) and `rational_polynomial`
(with thin prisms and a tilted sensor: Louhichi et al., 2007) are OpenCV's camera model,
`equidistant` (Kannala and Brandt, 2006) its fisheye model; REP 104 has their names.
"""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

DistortionModel: TypeAlias = Literal["plumb_bob", "rational_polynomial", "equidistant"]

_MOST_STEPS = 20
_STRETCHES = 12
# Accuracy of a ray: 1 µm at a distance of 1 m.
_CLOSE = 1e-6
# Coefficients of OpenCV's models, each an extension of the previous one.
_PLUMB_BOB, _RATIONAL, _TILTED = 5, 8, 14


def is_straight(model: DistortionModel, coefficients: Float[np.ndarray, " k"]) -> bool:
    """Whether straight lines stay straight: a pinhole."""
    return model != "equidistant" and not coefficients.any()


def distort(
    ray: Float[np.ndarray, "n 2"],
    *,
    model: DistortionModel,
    coefficients: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "n 2"]:
    """Positions of world rays in the image, in focal lengths."""
    if is_straight(model, coefficients):
        return ray
    if model == "equidistant":
        return ray * _fisheye_scale(np.hypot(ray[:, 0], ray[:, 1]), coefficients)[:, None]
    return _brown(ray, coefficients)


def undistort(
    seen: Float[np.ndarray, "n 2"],
    *,
    model: DistortionModel,
    coefficients: Float[np.ndarray, " k"],
) -> Float[np.ndarray, "n 2"]:
    """World rays that `distort` maps to `seen`; NaN where the model has none.

    A polynomial that folds maps two rays to one image point: the ray nearer to the axis is taken,
    since the model means nothing beyond the fold.
    """
    if is_straight(model, coefficients):
        return seen
    if model == "equidistant":
        return _undistorted_fisheye(seen, coefficients)
    return _undistorted_brown(seen, coefficients)


def _twelve(coefficients: Float[np.ndarray, " k"]) -> list[float]:
    """k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4; missing ones are zero."""
    return np.pad(coefficients[:12], (0, max(12 - coefficients.size, 0))).tolist()


def _brown(ray: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = _twelve(coefficients)
    x, y = ray[:, 0], ray[:, 1]
    with np.errstate(all="ignore"):  # far from the axis, powers overflow and denominators vanish
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        if coefficients.size > _PLUMB_BOB:
            radial = radial / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        xy = 2 * x * y
        u = x * radial + p1 * xy + p2 * (r2 + 2 * x * x)
        v = y * radial + p2 * xy + p1 * (r2 + 2 * y * y)
        if coefficients.size > _RATIONAL:
            u, v = u + r2 * (s1 + r2 * s2), v + r2 * (s3 + r2 * s4)
    seen = np.stack([u, v], axis=1)
    return _homography(seen, _tilt(coefficients)) if is_tilted(coefficients) else seen


def _jacobian(ray: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, ...]:
    """∂u/∂x, ∂u/∂y, ∂v/∂x, ∂v/∂y of the model without tilt."""
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = _twelve(coefficients)
    x, y = ray[:, 0], ray[:, 1]
    with np.errstate(all="ignore"):
        r2 = x * x + y * y
        above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
        radial = above / below
        above_slope = k1 + r2 * (2 * k2 + 3 * r2 * k3)
        below_slope = k4 + r2 * (2 * k5 + 3 * r2 * k6)
        slope = 2 * (above_slope - radial * below_slope) / below
        prism_u, prism_v = 2 * (s1 + 2 * r2 * s2), 2 * (s3 + 2 * r2 * s4)
        mixed = x * y * slope + 2 * p1 * x + 2 * p2 * y
        return (
            radial + x * x * slope + 2 * p1 * y + 6 * p2 * x + prism_u * x,
            mixed + prism_u * y,
            mixed + prism_v * x,
            radial + y * y * slope + 2 * p2 * x + 6 * p1 * y + prism_v * y,
        )


def _undistorted_brown(seen: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """By Newton's method; where it diverges, again in stages from the axis outwards."""
    if is_tilted(coefficients):
        seen = _homography(seen, np.linalg.inv(_tilt(coefficients)))
        coefficients = coefficients[:12]
    ray = _newton(seen, seen, coefficients)
    lost = ~_is_before_fold(ray, coefficients)
    if lost.any():
        far = np.zeros((np.count_nonzero(lost), 2))
        for share in np.linspace(0, 1, _STRETCHES + 1)[1:]:
            far = _newton(far, share * seen[lost], coefficients)
        far[~_is_before_fold(far, coefficients)] = np.nan
        ray[lost] = far
    with np.errstate(invalid="ignore"):
        hit = np.abs(_brown(ray, coefficients) - seen).max(axis=1) < _CLOSE
    return np.where(hit[:, None], ray, np.nan)


def _newton(ray: np.ndarray, goal: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Rays that are mapped to `goal`, by Newton steps from `ray`."""
    for _ in range(_MOST_STEPS):
        miss = _brown(ray, coefficients) - goal
        ux, uy, vx, vy = _jacobian(ray, coefficients)
        with np.errstate(all="ignore"):
            area = ux * vy - uy * vx
            step_x = (vy * miss[:, 0] - uy * miss[:, 1]) / area
            step_y = (ux * miss[:, 1] - vx * miss[:, 0]) / area
            step = np.stack([step_x, step_y], axis=1)
            ray = ray - step
            if not (np.abs(step) > _CLOSE).any():  # the next step would be its square
                break
    return ray


def _is_before_fold(ray: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Whether the mapping does not fold anywhere between the axis and each ray."""
    way = np.linspace(0, 1, 9)[1:, None, None] * ray
    ux, uy, vx, vy = _jacobian(way.reshape(-1, 2), coefficients)
    with np.errstate(invalid="ignore"):
        area, trace = ux * vy - uy * vx, ux + vy
        is_upright = np.minimum(area, trace) > 0  # false for NaN, too
    return np.logical_and.reduce(is_upright.reshape(len(way), -1))


def is_tilted(coefficients: Float[np.ndarray, " k"]) -> bool:
    """Whether the sensor is tilted against the lens (OpenCV's 14 coefficients)."""
    return coefficients.size == _TILTED and bool(coefficients[12:].any())


def _tilt(coefficients: np.ndarray) -> np.ndarray:
    """The homography of a sensor tilted by τx, τy (OpenCV's documentation)."""
    tau_x, tau_y = coefficients[12:]
    cx, sx, cy, sy = np.cos(tau_x), np.sin(tau_x), np.cos(tau_y), np.sin(tau_y)
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]]) @ np.array(
        [[1, 0, 0], [0, cx, sx], [0, -sx, cx]]
    )
    onto = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    return onto @ turn


def _homography(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    flat = points @ matrix[:, :2].T + matrix[:, 2]
    with np.errstate(all="ignore"):
        return flat[:, :2] / flat[:, 2:]


def _bent(angle_rad: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Distance from the axis, in focal lengths, at which a ray at an angle appears."""
    k1, k2, k3, k4 = coefficients.tolist()
    a2 = angle_rad * angle_rad
    return angle_rad * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))


def _fisheye_scale(radius: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    bent = _bent(np.arctan(radius), coefficients)
    with np.errstate(all="ignore"):
        return np.where(radius > 1e-8, bent / radius, 1.0)


def _undistorted_fisheye(seen: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """By the angle from the axis; no ray (x, y, 1) exists at 90° and beyond."""
    bent = np.hypot(seen[:, 0], seen[:, 1])
    # The first fold bounds the angle: up to there the polynomial rises, so bisection converges.
    low, high = np.zeros_like(bent), np.full_like(bent, _fisheye_limit(coefficients))
    seen_there = bent <= _bent(high, coefficients)
    for _ in range(40):
        middle = (low + high) / 2
        below = _bent(middle, coefficients) < bent
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    with np.errstate(all="ignore"):
        scale = np.where(bent > 1e-8, np.tan((low + high) / 2) / bent, 1.0)
    return np.where(seen_there[:, None], seen * scale[:, None], np.nan)


def _fisheye_limit(coefficients: np.ndarray) -> float:
    """The angle, at most 90°, up to which the model is increasing."""
    angle = np.linspace(0, np.pi / 2 - 1e-3, 2000)
    slope = 1 + (coefficients * [3, 5, 7, 9]) @ angle ** np.array([[2], [4], [6], [8]])
    falling = np.flatnonzero(slope <= 0)
    return float(angle[falling[0] - 1] if falling.size else angle[-1])
