"""Trackers of the `trackers` library (Roboflow, Apache-2.0) behind our interface, for comparison.

They use boxes and scores only, so positions, velocities and sizes are NaN, and a track is
reported only in frames in which it was detected.
"""

from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.core.types import (
    Detections,
    Measurements,
    TrackEvent,
    Tracks,
    TrackState,
    no_detections,
)
from robot_vision.tracking.registry import TRACKERS

LIBRARY_CLASSES = {
    "sort": "SORTTracker",
    "bytetrack": "ByteTrackTracker",
    "ocsort": "OCSORTTracker",
    "botsort": "BoTSORTTracker",
}


class LibraryTracker:
    """One of `LIBRARY_CLASSES`, with its own defaults.

    With `frame_rate_hz` it counts frames, as its authors measured it; without, it gets the
    stamps. Raises `MissingDependencyError` where the library is not installed.
    """

    def __init__(
        self, config: TrackerConfig, *, name: str, frame_rate_hz: float | None = None
    ) -> None:
        del config  # The library's trackers have parameters of their own.
        self._name = name
        self._frame_rate_hz = frame_rate_hz
        self._tracker = self._build()
        self._first_ns: dict[int, int] = {}
        self._stamp_ns: int | None = None
        self._next_id = 1
        self._ids: dict[int, int] = {}
        self._epoch = 0

    def update(self, measurements: Measurements) -> Tracks:
        """Give the detections to the library's tracker; stamps that go back restart it."""
        self._notice(measurements.stamp_ns)
        found = measurements.detections
        import supervision

        given = supervision.Detections(
            xyxy=found.box_xyxy_px.astype(np.float64),
            confidence=found.score.astype(np.float64),
            class_id=found.class_id.astype(int),
            data={"row": np.arange(len(found))},
        )
        timestamp_s = None
        if self._frame_rate_hz is None:
            timestamp_s = measurements.stamp_ns / NS_PER_S
        answer = self._tracker.update(given, timestamp=timestamp_s)
        if not len(answer):
            return self._tracks(found, rows=np.zeros(0, np.int64), library_ids=[])
        identified = answer.tracker_id >= 0
        rows = np.asarray(answer.data["row"])[identified].astype(np.int64)
        return self._tracks(found, rows=rows, library_ids=answer.tracker_id[identified].tolist())

    def predict(self, stamp_ns: int) -> Tracks:
        """No tracks: the library's trackers report nothing for frames without detections."""
        self._notice(stamp_ns)
        none = no_detections(stamp_ns)
        return self._tracks(none, rows=np.zeros(0, np.int64), library_ids=[])

    def reset(self) -> None:
        """Restart; ids continue from where they were."""
        self._tracker = self._build()
        self._ids, self._first_ns = {}, {}
        self._stamp_ns = None
        self._epoch += 1

    def _build(self) -> Any:
        try:
            library = import_module("trackers")
        except ImportError as error:
            raise MissingDependencyError(
                f"tracker {self._name!r} needs the `trackers` library: pip install trackers"
            ) from error
        options: dict[str, Any] = {}
        if self._frame_rate_hz is not None:
            options["frame_rate"] = self._frame_rate_hz
        if self._name == "botsort":
            options["enable_cmc"] = False  # It would need the image.
        return getattr(library, LIBRARY_CLASSES[self._name])(**options)

    def _notice(self, stamp_ns: int) -> None:
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        self._stamp_ns = stamp_ns

    def _tracks(self, found: Detections, *, rows: np.ndarray, library_ids: list[int]) -> Tracks:
        n, stamp_ns = len(rows), found.stamp_ns
        events = []
        for library_id in library_ids:
            if library_id not in self._ids:
                self._ids[library_id], self._next_id = self._next_id, self._next_id + 1
                self._first_ns[library_id] = stamp_ns
                events.append(
                    TrackEvent(
                        stamp_ns=stamp_ns,
                        track_id=self._ids[library_id],
                        state=TrackState.CONFIRMED,
                    )
                )
        first_ns = np.array([self._first_ns[i] for i in library_ids], np.int64)
        unknown = np.full((n, 3), np.nan, np.float32)
        return Tracks(
            stamp_ns=stamp_ns,
            track_id=np.array([self._ids[i] for i in library_ids], np.int64),
            state=np.full(n, int(TrackState.CONFIRMED), np.int64),
            box_xyxy_px=found.box_xyxy_px[rows],
            score=found.score[rows],
            class_id=found.class_id[rows],
            position_in_camera_m=unknown,
            position_covariance_m2=np.full((n, 3, 3), np.nan, np.float32),
            velocity_in_camera_mps=unknown,
            velocity_covariance_m2ps2=np.full((n, 3, 3), np.nan, np.float32),
            size_m=unknown,
            age_s=((stamp_ns - first_ns) / NS_PER_S).astype(np.float32),
            unseen_s=np.zeros(n, np.float32),
            detection_index=rows,
            epoch=self._epoch,
            events=tuple(events),
        )


for _name in LIBRARY_CLASSES:
    TRACKERS.register(_name)(partial(LibraryTracker, name=_name))
