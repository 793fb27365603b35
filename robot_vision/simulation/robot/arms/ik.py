"""Differential inverse kinematics by damped least squares.

After Wampler 1986 (damping), Liégeois 1977 (posture in the null space) and Nakamura & Hanafusa
1986 (damping that grows near singular postures). Pure: the Jacobian is given.
"""

import numpy as np
from jaxtyping import Float

_MAX_DAMPING = 0.08
_WELL_CONDITIONED = 0.06  # singular value above which there is no damping
_POSTURE_GAIN = 1.5  # 1/s
_MARGIN_RAD = 0.15  # distance from a limit within which joints slow down


def joint_velocity(
    *,
    jacobian: Float[np.ndarray, "6 j"],
    twist: Float[np.ndarray, "6"],
    position_rad: Float[np.ndarray, " j"],
    rest_rad: Float[np.ndarray, " j"],
    lowest_rad: Float[np.ndarray, " j"],
    highest_rad: Float[np.ndarray, " j"],
    max_speed_radps: Float[np.ndarray, " j"],
) -> Float[np.ndarray, " j"]:
    """Joint speeds (rad/s) that move the tool with `twist` (m/s, rad/s; base axes) if possible.

    Redundancy pulls towards `rest_rad`. Joints slow down before their limits, and all are scaled
    together to the speed limits, which preserves the tool's direction.
    """
    u, s, vt = np.linalg.svd(jacobian, full_matrices=False)
    weak = max(0.0, 1 - s[-1] / _WELL_CONDITIONED)
    damping = _MAX_DAMPING * weak
    inverse = (vt.T * (s / (s * s + damping * damping))) @ u.T
    wish = _POSTURE_GAIN * (rest_rad - position_rad)
    free = wish - vt.T @ (vt @ wish)
    velocity = inverse @ twist + free
    room_up = np.clip((highest_rad - position_rad) / _MARGIN_RAD, 0, 1)
    room_down = np.clip((position_rad - lowest_rad) / _MARGIN_RAD, 0, 1)
    velocity = np.where(velocity > 0, velocity * room_up, velocity * room_down)
    return velocity / max(1.0, float((np.abs(velocity) / max_speed_radps).max()))


def pose_error(
    base_from_target: Float[np.ndarray, "4 4"], base_from_tool: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "6"]:
    """Error from tool to target: metres and rotation vector, in base axes."""
    turn = base_from_target[:3, :3] @ base_from_tool[:3, :3].T
    return np.concatenate([base_from_target[:3, 3] - base_from_tool[:3, 3], rotation_vector(turn)])


def rotation_vector(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3"]:
    """Axis times angle (radians, at most π) of a rotation matrix."""
    skew = np.array(
        [
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        ]
    )
    sine, cosine = float(np.linalg.norm(skew)) / 2, (float(np.trace(rotation)) - 1) / 2
    angle = np.arctan2(sine, cosine)
    if sine > 1e-6:
        return skew / (2 * sine) * angle
    if cosine > 0:
        return skew / 2
    # 180°: the axis is the direction the rotation preserves
    column = int(np.argmax(np.diag(rotation)))
    axis = (rotation + np.eye(3))[:, column]
    return axis / np.linalg.norm(axis) * angle
