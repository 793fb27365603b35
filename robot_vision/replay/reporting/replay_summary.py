"""All figures of one replay, gathered frame by frame in bounded memory."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np

from robot_vision.core.clock import seconds_between
from robot_vision.core.results.objects import class_name
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Camera, Depth, TrackState
from robot_vision.replay.reporting.digest import Digest
from robot_vision.replay.reporting.frame_class_log import FrameClassLog, class_values
from robot_vision.replay.reporting.timeline import Timeline
from robot_vision.replay.reporting.track_log import TrackLog
from robot_vision.replay.running.runner import Processed

AGES_KEPT = 20_000
DEPTH_SAMPLE_STEP = 8


class Figures:
    """Add every processed frame, then read `as_dict`: the content of the JSON and the report.

    Percentiles of ages are over the last `AGES_KEPT` frames.
    """

    def __init__(self) -> None:
        self.tracks = TrackLog()
        self._digest = Digest()
        self._timeline = Timeline()
        self._classes = FrameClassLog()
        self._ages: dict[str, Percentiles] = {}
        self._detections: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._camera: Camera | None = None
        self._model_id = ""
        self._frames = 0
        self._first_ns = self._last_ns = 0

    def add(self, done: Processed) -> list[int]:
        """Add a frame; returns the ids of the tracks confirmed for the first time."""
        perception = done.perception
        if self._frames == 0:
            self._first_ns = perception.stamp_ns
        self._last_ns = perception.stamp_ns
        self._frames += 1
        self._model_id = perception.model_id
        self._camera = perception.frame.camera or self._camera
        self._digest.add(perception)
        self._classes.add(perception)
        self._notes.update(perception.notes)
        for class_id in perception.detections.class_id.tolist():
            self._detections[class_name(perception.class_names, class_id)] += 1
        for stage, seconds in done.stage_s.items():
            self._ages.setdefault(stage, Percentiles(AGES_KEPT)).add(seconds)
        start_s = seconds_between(self._first_ns, perception.stamp_ns)
        self._timeline.add(start_s, _values(done))
        return self.tracks.add(perception, frame=done.number, start_s=start_s)

    def as_dict(self) -> dict[str, Any]:
        tracks = self.tracks.rows()
        return {
            "model": self._model_id,
            "camera": _camera(self._camera),
            "frames": self._frames,
            "first_stamp_ns": self._first_ns,
            "duration_s": seconds_between(self._first_ns, self._last_ns),
            "digest": self._digest.hex(),
            **self._classes.as_dict(),
            "detections_by_class": dict(sorted(self._detections.items())),
            "tracks_by_class": dict(sorted(Counter(row["class"] for row in tracks).items())),
            "tracks": tracks,
            "id_switches": [asdict(switch) for switch in self.tracks.switches],
            "frames_per_window": self._timeline.frames_per_window,
            "windows": self._timeline.rows(),
            "stage_s": {stage: ages.summary() for stage, ages in self._ages.items()},
            "notes": dict(self._notes),
        }


def _values(done: Processed) -> dict[str, float]:
    """Values for the timeline; missing if unknown in this frame."""
    perception = done.perception
    tracks = perception.tracks
    confirmed = tracks.state == TrackState.CONFIRMED
    values = {
        "detections": float(len(perception.detections)),
        "objects": float(confirmed.sum()),
        "coasting": float((tracks.state == TrackState.COASTING).sum()),
        "processing_ms": 1e3 * sum(done.stage_s.values()),
    }
    if len(perception.detections):
        values["score"] = float(perception.detections.score.mean())
    positions_m = tracks.position_in_camera_m[confirmed]
    positions_m = positions_m[np.isfinite(positions_m).all(axis=1)]
    if len(positions_m):
        x, y, z = positions_m.mean(axis=0).tolist()
        values |= {"object_x_m": x, "object_y_m": y, "object_z_m": z}
    if perception.depth is not None:
        values |= _depth_values(perception.depth)
    return values | class_values(perception)


def _depth_values(depth: Depth) -> dict[str, float]:
    values = {"depth_coverage": depth.valid_fraction}
    sample_m = depth.depth_m[::DEPTH_SAMPLE_STEP, ::DEPTH_SAMPLE_STEP]
    sample_m = sample_m[np.isfinite(sample_m)]
    if sample_m.size:
        values["depth_median_m"] = float(np.median(sample_m))
    return values


def _camera(camera: Camera | None) -> dict[str, Any] | None:
    if camera is None:
        return None
    return {
        "frame_id": camera.frame_id,
        "width_px": camera.width_px,
        "height_px": camera.height_px,
        "fx_px": camera.fx_px,
        "fy_px": camera.fy_px,
        "cx_px": camera.cx_px,
        "cy_px": camera.cy_px,
    }
