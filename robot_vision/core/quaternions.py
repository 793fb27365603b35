"""Quaternions xyzw and rotation vectors, one rotation at a time, fast enough for 100 Hz."""

import math

import numpy as np
from jaxtyping import Float

Quaternion = Float[np.ndarray, "4"]
RotationVector = Float[np.ndarray, "3"]


def exp(rotation_vector_rad: RotationVector) -> Quaternion:
    """The rotation about a vector by its length."""
    x, y, z = rotation_vector_rad.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    # sin(a/2)/a as a series where the division would lose precision.
    share = 0.5 - angle * angle / 48 if angle < 1e-4 else math.sin(angle / 2) / angle
    return np.array([share * x, share * y, share * z, math.cos(angle / 2)])


def log(quaternion: Quaternion) -> RotationVector:
    """The shortest rotation vector, at most π long."""
    x, y, z, w = quaternion.tolist()
    if w < 0:
        x, y, z, w = -x, -y, -z, -w
    sine = math.sqrt(x * x + y * y + z * z)
    share = 2.0 / w if sine < 1e-9 else 2 * math.atan2(sine, w) / sine
    return np.array([share * x, share * y, share * z])


def multiply(first: Quaternion, second: Quaternion) -> Quaternion:
    """The rotation `second` followed by `first`, with unit norm."""
    ax, ay, az, aw = first.tolist()
    bx, by, bz, bw = second.tolist()
    product = np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )
    return product / math.sqrt(product @ product)


def between(start: Quaternion, end: Quaternion) -> RotationVector:
    """The shortest Δ with end = exp(Δ) start."""
    x, y, z, w = start.tolist()
    return log(multiply(end, np.array([-x, -y, -z, w])))


def from_matrix(matrix: Float[np.ndarray, "3 3"]) -> Quaternion:
    """Quaternion of a rotation matrix, by the largest of its components (Shepperd 1978)."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    four_squares = (1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i)
    largest = four_squares.index(max(four_squares))
    quaternion = np.array(
        (
            (four_squares[0], d + b, g + c, h - f),
            (d + b, four_squares[1], h + f, c - g),
            (g + c, h + f, four_squares[2], d - b),
            (h - f, c - g, d - b, four_squares[3]),
        )[largest]
    )
    return quaternion / math.sqrt(quaternion @ quaternion)


def pose_matrix(
    position_m: Float[np.ndarray, "3"], quaternion: Quaternion
) -> Float[np.ndarray, "4 4"]:
    """Rigid transform of a position and a unit quaternion."""
    x, y, z, w = quaternion.tolist()
    px, py, pz = position_m.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), px],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), py],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), pz],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def is_pose(matrix: Float[np.ndarray, "4 4"]) -> bool:
    """Whether this is a finite rigid transform (to a thousandth)."""
    rotation = matrix[:3, :3]
    if not np.isfinite(matrix).all() or abs(rotation).max() > 2:
        return False
    skew = abs(rotation @ rotation.T - np.eye(3)).max()
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    handed = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return bool(skew < 1e-3 and handed > 0)
