"""The life of every track: when, where, how long; and likely id switches."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.results.objects import class_name
from robot_vision.core.results.shapes import by_track
from robot_vision.core.types import Perception, TrackState
from robot_vision.replay.reporting.shape_means import ShapeMeans

SWITCH_IOU = 0.3
SWITCH_GAP_S = 1.0


@dataclass
class _Life:
    """A track so far; means are over the frames in which it was confirmed."""

    class_name: str
    first_frame: int
    first_s: float
    last_frame: int = 0
    last_s: float = 0.0
    frames: int = 0
    coasted: int = 0
    frames_in_3d: int = 0
    box_sum_px: np.ndarray = field(default_factory=lambda: np.zeros(4))
    position_sum_m: np.ndarray = field(default_factory=lambda: np.zeros(3))
    last_box_px: np.ndarray = field(default_factory=lambda: np.zeros(4))
    shapes: ShapeMeans = field(default_factory=ShapeMeans)


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A new track that began where another of its class had just been lost."""

    frame: int
    start_s: float
    old_id: int
    new_id: int


class TrackLog:
    """Follows all tracks that were ever confirmed. Memory grows only with their number."""

    def __init__(self) -> None:
        self._lives: dict[int, _Life] = {}
        self.switches: list[Switch] = []

    def add(self, perception: Perception, *, frame: int, start_s: float) -> list[int]:
        """Add a frame; returns the ids confirmed for the first time in it."""
        tracks, new_ids = perception.tracks, []
        keypoint = by_track(perception.detections.keypoint, tracks)
        oriented = by_track(perception.detections.oriented_box, tracks)
        for row, track_id in enumerate(tracks.track_id.tolist()):
            state = int(tracks.state[row])
            if track_id not in self._lives:
                if state != TrackState.CONFIRMED:
                    continue
                name = class_name(perception.class_names, int(tracks.class_id[row]))
                self._find_switch(track_id, name, tracks.box_xyxy_px[row], frame, start_s)
                self._lives[track_id] = _Life(name, frame, start_s)
                new_ids.append(track_id)
            life = self._lives[track_id]
            if state == TrackState.CONFIRMED:
                _extend(life, perception, row, frame=frame, start_s=start_s)
                life.shapes.add(
                    None if keypoint is None else keypoint[row],
                    None if oriented is None else oriented[row],
                )
            elif state == TrackState.COASTING:
                life.coasted += 1
        return new_ids

    def rows(self) -> list[dict[str, Any]]:
        """One row per track, by id."""
        return [_row(track_id, life) for track_id, life in sorted(self._lives.items())]

    def _find_switch(
        self, new_id: int, name: str, box_px: np.ndarray, frame: int, start_s: float
    ) -> None:
        best_iou, best_id = SWITCH_IOU, None
        for old_id, life in self._lives.items():
            lost_s = start_s - life.last_s
            if life.class_name != name or life.last_frame >= frame or lost_s > SWITCH_GAP_S:
                continue
            iou = float(
                pairwise_iou(life.last_box_px[None], box_px[None].astype(np.float64))[0, 0]
            )
            if iou >= best_iou:
                best_iou, best_id = iou, old_id
        if best_id is not None:
            self.switches.append(
                Switch(frame=frame, start_s=start_s, old_id=best_id, new_id=new_id)
            )


def _extend(life: _Life, perception: Perception, row: int, *, frame: int, start_s: float) -> None:
    tracks = perception.tracks
    life.frames += 1
    life.last_frame, life.last_s = frame, start_s
    life.last_box_px = tracks.box_xyxy_px[row].astype(np.float64)
    life.box_sum_px = life.box_sum_px + life.last_box_px
    position_m = tracks.position_in_camera_m[row]
    if np.isfinite(position_m).all():
        life.frames_in_3d += 1
        life.position_sum_m = life.position_sum_m + position_m


def _row(track_id: int, life: _Life) -> dict[str, Any]:
    position_m = None
    if life.frames_in_3d:
        position_m = [round(v, 5) for v in (life.position_sum_m / life.frames_in_3d).tolist()]
    return {
        "id": track_id,
        "class": life.class_name,
        "first_frame": life.first_frame,
        "last_frame": life.last_frame,
        "first_s": round(life.first_s, 6),
        "last_s": round(life.last_s, 6),
        "frames": life.frames,
        "coasted_frames": life.coasted,
        "mean_box_xyxy_px": [round(v, 3) for v in (life.box_sum_px / life.frames).tolist()],
        "mean_position_in_camera_m": position_m,
        **life.shapes.row(),
    }
