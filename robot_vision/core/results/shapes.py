"""Shapes of detections beyond boxes (keypoints, oriented boxes), by track and as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.types import Detections, Tracks


def by_track(
    rows: Float32[np.ndarray, "n ..."] | None, tracks: Tracks
) -> Float32[np.ndarray, "t ..."] | None:
    """Rows of this frame's detections, one per track; None if there are no such rows.

    NaN for a track that no detection of this frame updated: earlier frames are not repeated.
    """
    if rows is None:
        return None
    seen = (tracks.detection_index >= 0) & (tracks.detection_index < len(rows))
    found = np.full((len(tracks), *rows.shape[1:]), np.nan, np.float32)
    found[seen] = rows[tracks.detection_index[seen]]
    return found


def shapes_by_track(detections: Detections, tracks: Tracks) -> list[dict[str, Any]]:
    """`keypoints` and `oriented_box` of each track as JSON; null if it was not seen."""
    return _shapes(
        by_track(detections.keypoint, tracks),
        by_track(detections.oriented_box, tracks),
        detections.keypoint_names,
        count=len(tracks),
    )


def shapes_of(detections: Detections) -> list[dict[str, Any]]:
    """`keypoints` and `oriented_box` of each detection as JSON; null if it has none."""
    return _shapes(
        detections.keypoint,
        detections.oriented_box,
        detections.keypoint_names,
        count=len(detections),
    )


def _shapes(
    keypoint: Float[np.ndarray, "n k 3"] | None,
    oriented: Float[np.ndarray, "n 5"] | None,
    names: tuple[str, ...],
    *,
    count: int,
) -> list[dict[str, Any]]:
    return [
        {
            "keypoints": None if keypoint is None else _keypoints(keypoint[row], names),
            "oriented_box": None if oriented is None else _oriented_box(oriented[row]),
        }
        for row in range(count)
    ]


def _keypoints(
    keypoint: Float[np.ndarray, "k 3"], names: tuple[str, ...]
) -> list[Mapping[str, Any]] | None:
    """Every keypoint by name; `xy_px` is null if it has no position, `score` if it has none."""
    known = np.isfinite(keypoint)
    if not known.any():
        return None
    # As lists: one NumPy call per keypoint would take longer than all the rest.
    values, placed = keypoint.astype(float).tolist(), (known[:, 0] & known[:, 1]).tolist()
    return [
        {
            "name": name,
            "xy_px": [round(x, 3), round(y, 3)] if has_place else None,
            "score": round(score, 4) if has_score else None,
        }
        for name, (x, y, score), has_place, has_score in zip(
            names, values, placed, known[:, 2].tolist(), strict=True
        )
    ]


def _oriented_box(box: Float[np.ndarray, "5"]) -> Mapping[str, Any] | None:
    if not np.isfinite(box).all():
        return None
    x, y, width, height, angle_rad = (round(v, 4) for v in box.astype(float).tolist())
    return {"center_px": [x, y], "size_px": [width, height], "angle_rad": angle_rad}
