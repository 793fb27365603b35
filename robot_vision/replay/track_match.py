"""Which track of one replay is which of another: ids may differ, objects do not."""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

FAR_PX = 1e6
MAX_DISTANCE_PX = 100.0
MIN_OVERLAP = 0.2


def match_tracks(
    expected: list[dict[str, Any]], actual: list[dict[str, Any]]
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[dict[str, Any]]]:
    """Pairs of tracks of one class that share time and place, and the expected ones without.

    The assignment has the least total distance between mean boxes (Kuhn, 1955).
    """
    if not expected or not actual:
        return [], list(expected)
    cost = np.array([[_distance_px(before, after) for after in actual] for before in expected])
    rows, columns = linear_sum_assignment(cost)
    matched = {r: c for r, c in zip(rows, columns, strict=True) if cost[r, c] < MAX_DISTANCE_PX}
    pairs = [(expected[r], actual[c]) for r, c in matched.items()]
    return pairs, [row for index, row in enumerate(expected) if index not in matched]


def _distance_px(a: dict[str, Any], b: dict[str, Any]) -> float:
    first, last = max(a["first_s"], b["first_s"]), min(a["last_s"], b["last_s"])
    longest_s = max(a["last_s"] - a["first_s"], b["last_s"] - b["first_s"], 1e-6)
    if a["class"] != b["class"] or (last - first) / longest_s < MIN_OVERLAP:
        return FAR_PX
    boxes = np.array([a["mean_box_xyxy_px"], b["mean_box_xyxy_px"]])
    return float(np.abs(boxes[0] - boxes[1]).mean())
