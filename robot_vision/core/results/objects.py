"""Tracked objects in the frame in which they are published, and as JSON, one text per frame."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.core.results.keypoints import bones_of
from robot_vision.core.results.shapes import shapes_by_track
from robot_vision.core.types import Perception, TrackState


@dataclass(frozen=True, kw_only=True, eq=False)
class Objects:
    """The rows of a frame's `Tracks`, in 3-D as seen from `frame_id`; NaN where unknown.

    Boxes keep the camera's axes: `orientation_xyzw` rotates these into `frame_id`.
    """

    stamp_ns: int
    frame_id: str
    track_id: list[int]
    class_name: list[str]
    state: list[TrackState]
    score: list[float]
    unseen_s: list[float]
    position_m: Float[np.ndarray, "n 3"]
    covariance_m2: Float[np.ndarray, "n 3 3"]
    velocity_mps: Float[np.ndarray, "n 3"]
    velocity_covariance_m2ps2: Float[np.ndarray, "n 3 3"]
    size_m: Float[np.ndarray, "n 3"]
    orientation_xyzw: tuple[float, float, float, float]

    def __len__(self) -> int:
        return len(self.track_id)

    def visible_rows(self) -> list[int]:
        """Rows worth acting on: confirmed or coasting, at a known position."""
        known = np.isfinite(self.position_m.sum(axis=1)).tolist()
        shown = (TrackState.CONFIRMED, TrackState.COASTING)
        return [row for row in range(len(self)) if known[row] and self.state[row] in shown]


def objects_of(
    perception: Perception,
    *,
    target_frame: str = "",
    target_from_camera: Float64[np.ndarray, "4 4"] | None = None,
) -> Objects:
    """Objects of a frame, in the camera's frame or, if given, in `target_frame`.

    Without `target_from_camera` nothing is known in 3-D there: all positions are NaN.
    """
    tracks = perception.tracks
    position_m, velocity_mps = tracks.position_in_camera_m, tracks.velocity_in_camera_mps
    covariance_m2 = tracks.position_covariance_m2
    velocity_covariance = tracks.velocity_covariance_m2ps2
    frame_id, orientation = perception.frame.frame_id, (0.0, 0.0, 0.0, 1.0)
    if target_frame:
        frame_id = target_frame
        known = target_from_camera is not None
        pose = target_from_camera if known else np.full((4, 4), np.nan)
        rotation = pose[:3, :3]
        position_m = transform_points(pose, position_m)
        velocity_mps = velocity_mps @ rotation.T
        covariance_m2 = rotation @ covariance_m2 @ rotation.T
        velocity_covariance = rotation @ velocity_covariance @ rotation.T
        orientation = quaternion_xyzw(rotation) if known else orientation
    return Objects(
        stamp_ns=perception.stamp_ns,
        frame_id=frame_id,
        track_id=tracks.track_id.tolist(),
        class_name=[class_name(perception.class_names, c) for c in tracks.class_id.tolist()],
        state=[TrackState(value) for value in tracks.state.tolist()],
        score=tracks.score.tolist(),
        unseen_s=tracks.unseen_s.tolist(),
        position_m=position_m,
        covariance_m2=covariance_m2,
        velocity_mps=velocity_mps,
        velocity_covariance_m2ps2=velocity_covariance,
        size_m=tracks.size_m,
        orientation_xyzw=orientation,
    )


def class_name(names: tuple[str, ...], class_id: int) -> str:
    """Name of a class; its number if the bundle has too few names."""
    return names[class_id] if 0 <= class_id < len(names) else str(class_id)


def quaternion_xyzw(rotation: Float[np.ndarray, "3 3"]) -> tuple[float, float, float, float]:
    """Unit quaternion of a rotation matrix (largest component first, after Shepperd 1978)."""
    r = rotation
    squares = [
        1 + r[0, 0] - r[1, 1] - r[2, 2],
        1 - r[0, 0] + r[1, 1] - r[2, 2],
        1 - r[0, 0] - r[1, 1] + r[2, 2],
        1 + r[0, 0] + r[1, 1] + r[2, 2],
    ]
    rows = [
        [squares[0], r[0, 1] + r[1, 0], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
        [r[0, 1] + r[1, 0], squares[1], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
        [r[2, 0] + r[0, 2], r[1, 2] + r[2, 1], squares[2], r[1, 0] - r[0, 1]],
        [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], squares[3]],
    ]
    largest = np.array(rows[int(np.argmax(squares))])
    x, y, z, w = (largest / np.linalg.norm(largest)).tolist()
    return x, y, z, w


def json_of(
    objects: Objects, perception: Perception, *, age_s: float, stage_s: Mapping[str, float]
) -> str:
    """`~/objects/json`: all tracks of a frame with the frame's age. Unknown values are null.

    Only tracks seen in this frame have keypoints and oriented boxes; `bones` are pairs of keypoint
    indices.
    """
    tracks = perception.tracks
    position_m, position_covariance = _known(objects.position_m), _known(objects.covariance_m2)
    velocity_mps = _known(objects.velocity_mps)
    velocity_covariance = _known(objects.velocity_covariance_m2ps2)
    size_m, box_px, age = _known(objects.size_m), _known(tracks.box_xyxy_px), tracks.age_s.tolist()
    shapes = shapes_by_track(perception.detections, tracks)
    rows = [
        {
            "id": objects.track_id[row],
            "class": objects.class_name[row],
            "score": round(objects.score[row], 4),
            "state": objects.state[row].name.lower(),
            "position_m": position_m[row],
            "position_covariance_m2": position_covariance[row],
            "velocity_mps": velocity_mps[row],
            "velocity_covariance_m2ps2": velocity_covariance[row],
            "size_m": size_m[row],
            "box_xyxy_px": box_px[row],
            **shapes[row],
            "age_s": round(age[row], 4),
            "unseen_s": round(objects.unseen_s[row], 4),
        }
        for row in range(len(objects))
    ]
    text: dict[str, Any] = {
        "stamp_ns": objects.stamp_ns,
        "frame_id": objects.frame_id,
        "age_ms": round(age_s * 1e3, 3),
        "stage_ms": {stage: round(s * 1e3, 3) for stage, s in stage_s.items()},
        "model": perception.model_id,
        "depth_source": perception.depth.source if perception.depth else None,
        "epoch": tracks.epoch,
        "orientation_xyzw": objects.orientation_xyzw,
        "objects": rows,
        "bones": bones_of(perception.detections.keypoint_names),
        "notes": perception.notes,
    }
    return json.dumps(text)


def keypoints_json_of(perception: Perception) -> str:
    """`~/keypoints/json`: keypoints of the tracks seen in this frame, in its pixels."""
    tracks, names = perception.tracks, perception.detections.keypoint_names
    shapes = shapes_by_track(perception.detections, tracks)
    rows = [
        {
            "id": int(tracks.track_id[row]),
            "class": class_name(perception.class_names, int(tracks.class_id[row])),
            "keypoints": shape["keypoints"],
        }
        for row, shape in enumerate(shapes)
        if shape["keypoints"] is not None
    ]
    text: dict[str, Any] = {
        "stamp_ns": perception.stamp_ns,
        "frame_id": perception.frame.frame_id,
        "names": names,
        "bones": bones_of(names),
        "objects": rows,
    }
    return json.dumps(text)


def _known(values: Float[np.ndarray, "n ..."]) -> list[Any]:
    """Each row, rounded; None for one with a number that is not finite."""
    rounded = np.round(values.astype(np.float64), 6)
    known = np.asarray(np.isfinite(rounded).all(axis=tuple(range(1, rounded.ndim))))
    return [row if k else None for row, k in zip(rounded.tolist(), known, strict=True)]
