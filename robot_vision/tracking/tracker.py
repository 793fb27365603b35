"""The tracker: predict to the stamp, associate, correct, and decide which tracks survive."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from robot_vision.core.boxes import cxcywh_to_xyxy, pairwise_iou
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.core.types import Measurements, TrackEvent, Tracks, TrackState
from robot_vision.tracking.camera_motion import CameraMotion
from robot_vision.tracking.evidence.appearance import AppearanceModel
from robot_vision.tracking.evidence.association import associate
from robot_vision.tracking.evidence.borders import within_image
from robot_vision.tracking.evidence.calibration import common_move, learn
from robot_vision.tracking.evidence.observations import Observations, observe, take
from robot_vision.tracking.motion import (
    correct_tracks,
    evidence,
    predict_tracks,
    start_tracks,
)
from robot_vision.tracking.registry import TRACKERS
from robot_vision.tracking.report import report_tracks
from robot_vision.tracking.table import (
    COASTING,
    CONFIRMED,
    ENDED,
    TENTATIVE,
    axes_of,
    empty_table,
    with_appearance_width,
)


class StampedTracker:
    """Tracks boxes in the image and, where depth is known, points in a fixed frame.

    Its only clock is the stamps of the measurements. One instance serves one camera.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._given_config = self._config = config
        self._next_id = 1
        self._epoch = 0
        self._events: list[TrackEvent] = []
        self._forget()

    def update(self, measurements: Measurements) -> Tracks:
        """Advance to the stamp of the measurements and correct the tracks by them."""
        stamp_ns = measurements.stamp_ns
        self._advance(stamp_ns)
        self._image_size_px = measurements.image_size_px
        self._camera.follow(self._table, measurements)
        seen = self._one_appearance(self._in_fixed_frame(observe(measurements)))
        rows, columns = associate(
            self._table,
            seen,
            stamp_ns=stamp_ns,
            image_size_px=self._image_size_px,
            model=self._appearance_model,
            config=self._config,
        )
        self._calibrate(rows, columns, seen)
        self._learn_appearance(rows, columns, seen)
        self._correct(rows, columns, seen, stamp_ns=stamp_ns)
        self._change_states(stamp_ns)
        if len(columns) < len(seen):
            unmatched = np.ones(len(seen), bool)
            unmatched[columns] = False
            self._begin_tracks(take(seen, unmatched), stamp_ns)
        return self._report(stamp_ns)

    def predict(self, stamp_ns: int) -> Tracks:
        """Carry the tracks to `stamp_ns`: none ends, and confirmed ones are marked as coasting."""
        self._advance(stamp_ns)
        tracks = self._report(stamp_ns)
        seen = tracks.state == TrackState.CONFIRMED
        return replace(tracks, state=np.where(seen, TrackState.COASTING, tracks.state))

    def reset(self) -> None:
        """Forget all tracks and begin a new epoch; ids continue from where they were.

        The ends of the forgotten tracks are reported as events of the next result.
        """
        if self._stamp_ns is not None:
            self._add_events(self._stamp_ns, self._table["track_id"], TrackState.ENDED)
        self._forget()
        self._epoch += 1

    def _forget(self) -> None:
        self._table = empty_table()
        self._stamp_ns: int | None = None
        self._image_size_px: tuple[int, int] | None = None
        self._dt_s = 0.0
        self._camera = CameraMotion(estimate=self._config.camera_motion)
        self._appearance_model = AppearanceModel()
        self._unrest = 1.0
        self._config = self._given_config

    def _calibrate(
        self, rows: Int64[np.ndarray, " k"], columns: Int64[np.ndarray, " k"], seen: Observations
    ) -> None:
        """Learn about camera and detector from prediction errors, before tracks are corrected."""
        whole = ~seen.cut[columns].any(axis=1)
        expected = axes_of(self._table["box"][rows[whole]])
        boxes = seen.box_cxcywh_px[columns[whole]]
        self._unrest, self._config = learn(
            self._unrest, expected, boxes, dt_s=self._dt_s, config=self._config
        )

    def _correct(
        self,
        rows: Int64[np.ndarray, " k"],
        columns: Int64[np.ndarray, " k"],
        seen: Observations,
        *,
        stamp_ns: int,
    ) -> None:
        """Correct the tracks found; those not found follow what the others have in common."""
        if not len(rows):
            return
        table = self._table
        expected = {name: table["box"][name][rows, :2] for name in ("position", "velocity")}
        matched = take(seen, columns)
        correct_tracks(table, rows, matched, stamp_ns=stamp_ns, config=self._config)
        unseen = np.ones(len(table), bool)
        unseen[rows] = False
        if unseen.any():
            for name, values in expected.items():
                moved = common_move(table["box"][name][rows, :2] - values)
                table["box"][name][unseen, :2] += moved

    def _learn_appearance(
        self, rows: Int64[np.ndarray, " k"], columns: Int64[np.ndarray, " k"], seen: Observations
    ) -> None:
        """Learn appearances from confirmed tracks and confident detections without overlap."""
        if not seen.appearance.shape[1]:
            return
        overlap = pairwise_iou(seen.box_xyxy_px, seen.box_xyxy_px)
        alone = (overlap > 0).sum(axis=1) == 1
        sure = seen.score >= self._config.high_score
        good = (alone & sure)[columns] & (self._table["state"][rows] == CONFIRMED)
        rows, columns = rows[good], columns[good]
        same = (self._table["appearance"][rows] * seen.appearance[columns]).sum(axis=1)
        self._appearance_model = self._appearance_model.learn(
            same=same, appearance=seen.appearance[alone & sure]
        )

    def _advance(self, stamp_ns: int) -> None:
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            self.reset()
        if self._stamp_ns is not None:
            dt_s = seconds_between(self._stamp_ns, stamp_ns)
            predict_tracks(self._table, dt_s=dt_s, unrest=self._unrest, config=self._config)
            self._dt_s = dt_s
        self._stamp_ns = stamp_ns

    def _in_fixed_frame(self, seen: Observations) -> Observations:
        """Positions in the fixed frame; unknown where the camera's own pose is lost."""
        if self._camera.is_lost:
            return replace(
                seen,
                position_m=np.full_like(seen.position_m, np.nan),
                covariance_m2=np.full_like(seen.covariance_m2, np.nan),
            )
        fixed_from_camera = self._camera.fixed_from_camera
        rotation = fixed_from_camera[:3, :3]
        return replace(
            seen,
            position_m=seen.position_m @ rotation.T + fixed_from_camera[:3, 3],
            covariance_m2=rotation @ seen.covariance_m2 @ rotation.T,
        )

    def _one_appearance(self, seen: Observations) -> Observations:
        """Tracks and observations with appearances of one width; all unknown if there are none."""
        width, seen_width = self._table["appearance"].shape[1], seen.appearance.shape[1]
        if width == seen_width:
            return seen
        if seen_width == 0:
            return replace(seen, appearance=np.full((len(seen), width), np.nan))
        self._table = with_appearance_width(self._table, seen_width)
        return seen

    def _change_states(self, stamp_ns: int) -> None:
        table, config = self._table, self._config
        tentative = table["state"] == TENTATIVE
        unseen_s = (stamp_ns - table["seen_ns"]) / NS_PER_S
        state = np.where(unseen_s > 0, COASTING, CONFIRMED)
        waiting = tentative & (table["evidence"] < config.confirm_evidence)
        state = np.where(waiting, TENTATIVE, state)
        patience_s = np.where(tentative, config.tentative_s, config.coast_s)
        state = np.where(unseen_s > patience_s, ENDED, state)
        changed = state != table["state"]
        if not changed.any():
            return
        for value in (TrackState.CONFIRMED, TrackState.COASTING, TrackState.ENDED):
            self._add_events(stamp_ns, table["track_id"][changed & (state == int(value))], value)
        table["state"] = state
        self._table = table[state != ENDED]

    def _begin_tracks(self, seen: Observations, stamp_ns: int) -> None:
        config = self._config
        tracked = cxcywh_to_xyxy(self._table["box"]["position"])
        overlap = pairwise_iou(seen.box_xyxy_px, within_image(tracked, self._image_size_px))
        worth = evidence(seen.score) - config.overlap_penalty * overlap.max(axis=1, initial=0.0)
        begins = (seen.score >= config.high_score) & (worth >= config.birth_evidence)
        if not begins.any():
            return
        seen, worth = take(seen, begins), worth[begins]
        track_id = np.arange(self._next_id, self._next_id + len(seen))
        self._next_id += len(seen)
        sure = worth >= self._config.confirm_evidence
        state = np.where(sure, CONFIRMED, TENTATIVE)
        self._add_events(stamp_ns, track_id, TrackState.TENTATIVE)
        self._add_events(stamp_ns, track_id[sure], TrackState.CONFIRMED)
        new = start_tracks(
            seen,
            worth=worth,
            track_id=track_id,
            state=state,
            stamp_ns=stamp_ns,
            config=self._config,
        )
        self._table = np.concatenate([self._table, new])

    def _add_events(
        self, stamp_ns: int, track_id: Int64[np.ndarray, " n"], state: TrackState
    ) -> None:
        self._events += [
            TrackEvent(stamp_ns=stamp_ns, track_id=int(i), state=state) for i in track_id
        ]

    def _report(self, stamp_ns: int) -> Tracks:
        events, self._events = tuple(self._events), []
        return report_tracks(
            self._table,
            stamp_ns=stamp_ns,
            fixed_from_camera=self._camera.fixed_from_camera,
            epoch=self._epoch,
            events=events,
            image_size_px=self._image_size_px,
        )


TRACKERS.register("robot_vision")(StampedTracker)
