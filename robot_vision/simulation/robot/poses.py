"""Poses of the tool over the table."""

import numpy as np
from jaxtyping import Float


def tool_down(place_m: Float[np.ndarray, "3"], yaw_rad: float) -> Float[np.ndarray, "4 4"]:
    """`base_from_tool` that points straight down; at yaw 0 its x is the base's."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    pose = np.eye(4)
    pose[:3, :3] = [[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]]
    pose[:3, 3] = place_m
    return pose


def draw_start_pose(rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """Above the table, clear of the objects."""
    place = np.array([rng.uniform(0.3, 0.52), rng.uniform(-0.2, 0.2), rng.uniform(0.24, 0.4)])
    yaw = float(np.arctan2(place[1], place[0])) + rng.normal(0, 0.1)
    return tool_down(place, yaw)
