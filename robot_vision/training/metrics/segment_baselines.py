"""Object separation without learning: the baseline for slot models."""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

_STANDS_OUT_M = 0.012
_PLANE_ROUNDS = 200


def clusters_of_color(
    rgb: UInt8[np.ndarray, "h w 3"], *, count: int, place_weight: float = 100.0
) -> Int32[np.ndarray, "h w"]:
    """k-means on colour (CIELAB) and place; the same on every run."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    points = np.dstack([lab, rows * place_weight, columns * place_weight]).reshape(-1, 5)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.1)
    cv2.setRNGSeed(0)
    start = np.zeros((len(points), 1), np.int32)
    _, labels, _ = cv2.kmeans(points, count, start, stop, 1, cv2.KMEANS_PP_CENTERS)
    return labels.reshape(height, width)


def components_above_table(
    depth_m: Float32[np.ndarray, "h w"], *, focal_px: float
) -> Int32[np.ndarray, "h w"]:
    """Points above the largest plane, as connected components; 0 is the rest.

    `depth_m` is 0 where unknown. The plane is that of most points in random triples (RANSAC).
    """
    height, width = depth_m.shape
    rows, columns = np.mgrid[:height, :width]
    rays = np.dstack(
        [(columns - width / 2) / focal_px, (rows - height / 2) / focal_px, np.ones_like(depth_m)]
    )
    points_m = (rays * depth_m[..., None]).reshape(-1, 3)
    known = points_m[:, 2] > 0
    above = np.zeros(len(points_m), bool)
    if known.sum() >= 3:
        above[known] = _above_plane(points_m[known])
    _, labels = cv2.connectedComponents(above.reshape(height, width).astype(np.uint8))
    return labels


def _above_plane(points_m: np.ndarray) -> Bool[np.ndarray, " n"]:
    """Points on the camera's side of the dominant plane."""
    rng = np.random.default_rng(0)
    most, best = -1, np.zeros(len(points_m))
    for _ in range(_PLANE_ROUNDS):
        a, b, c = points_m[rng.choice(len(points_m), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length < 1e-9:
            continue
        normal *= (-1 if normal @ a > 0 else 1) / length  # towards the camera
        distance_m = (points_m - a) @ normal
        inside = int((np.abs(distance_m) < _STANDS_OUT_M / 2).sum())
        if inside > most:
            most, best = inside, distance_m
    return best > _STANDS_OUT_M
