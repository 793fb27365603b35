"""Matches tracks of two replays: ids may differ, objects do not."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

FAR_PX = 1e6
MAX_DISTANCE_PX = 100.0
MIN_OVERLAP = 0.2


def match_tracks(
    expected: list[dict[str, Any]], actual: list[dict[str, Any]]
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[dict[str, Any]]]:
    """Pairs of tracks of a class that share time and place, and expected tracks without a match.

    The assignment has the least total distance between mean boxes (Kuhn, 1955).
    """
    if not expected or not actual:
        return [], list(expected)
    cost = _distances_px(expected, actual)
    rows, columns = linear_sum_assignment(cost)
    matched = {r: c for r, c in zip(rows, columns, strict=True) if cost[r, c] < MAX_DISTANCE_PX}
    pairs = [(expected[r], actual[c]) for r, c in matched.items()]
    return pairs, [row for index, row in enumerate(expected) if index not in matched]


def _distances_px(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> np.ndarray:
    """Between mean boxes, large for tracks of different classes or times: [before, after]."""
    (first, last, boxes), names = _arrays(after), np.array([row["class"] for row in after])
    cost = np.full((len(before), len(after)), FAR_PX)
    for row, (begin_s, end_s, box) in enumerate(zip(*_arrays(before), strict=True)):
        shared_s = np.minimum(last, end_s) - np.maximum(first, begin_s)
        longest_s = np.maximum(np.maximum(last - first, end_s - begin_s), 1e-6)
        is_near = (names == before[row]["class"]) & (shared_s / longest_s >= MIN_OVERLAP)
        cost[row, is_near] = np.abs(boxes[is_near] - box).mean(axis=1)
    return cost


def _arrays(tracks: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last seconds, and mean boxes [n, 4]; raises `ValueError` if not finite."""
    arrays = (
        np.array([row["first_s"] for row in tracks], np.float64),
        np.array([row["last_s"] for row in tracks], np.float64),
        np.array([row["mean_box_xyxy_px"] for row in tracks], np.float64).reshape(-1, 4),
    )
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError("times or boxes of tracks are not finite")
    return arrays
