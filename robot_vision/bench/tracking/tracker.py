"""`robot-vision bench tracker`: ours against the best known: accuracy, speed, stability."""

import resource
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as ManyOf
from dataclasses import asdict, fields
from time import process_time

import numpy as np

from robot_vision.bench.models.detector_model import (
    GOOD,
    DetectorModel,
    drawn_model,
    drawn_public_model,
)
from robot_vision.bench.tracking.iou_tracker import track_by_iou
from robot_vision.bench.tracking.mot import Answer, Scores, judge
from robot_vision.bench.tracking.tracker_detections import detect
from robot_vision.bench.tracking.tracker_scenes import SCENES
from robot_vision.bench.tracking.tracker_sequences import (
    Sequence,
    boxes_only,
    drop_at_random,
    every,
    thin_all,
)
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.interfaces import Tracker
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Detections, Lifted, Measurements, TrackState
from robot_vision.threads import leave_cores_to_models
from robot_vision.tracking import build_tracker
from robot_vision.tracking.adapters import LIBRARY_CLASSES, LibraryTracker

OURS_2D, OURS_3D = "ours, boxes only", "ours"
DROP_SEEDS = 4


def build_set(name: str, *, seeds: Iterable[int]) -> list[Sequence]:
    """The scene `name` from each seed; people are seen by varied detectors."""
    return [
        detect(SCENES[name](seed), model=_detector_of(name, seed), seed=seed) for seed in seeds
    ]


def variants(sequence: Sequence, *, by_parts: bool = False) -> dict[str, list[Sequence]]:
    """The sequence as it is, subsampled to 15 and 8 FPS, and with one frame in five lost.

    `by_parts`: subsampled to exactly half and a third of its rate instead. Random variants are
    repeated: the scores are their means.
    """
    if by_parts:
        return {"full": [sequence], "half": every(sequence, 2), "third": every(sequence, 3)}
    return {
        "full": [sequence],
        "15 FPS": thin_all(sequence, frame_rate_hz=15),
        "8 FPS": thin_all(sequence, frame_rate_hz=8),
        "1 in 5 lost": [
            drop_at_random(sequence, share=0.2, seed=seed) for seed in range(DROP_SEEDS)
        ],
    }


def answers_of(tracker: Tracker, sequence: Sequence) -> list[Answer]:
    """Confirmed tracks of each frame; coasting ones do not count as seen."""
    answers = []
    for measurements in sequence.measurements:
        tracks = tracker.update(measurements)
        seen = tracks.state == TrackState.CONFIRMED
        answers.append(
            Answer(
                track_id=tracks.track_id[seen],
                box_xyxy_px=tracks.box_xyxy_px[seen].astype(np.float64),
            )
        )
    return answers


def contenders(sequence: Sequence) -> dict[str, Callable[[Sequence], list[Answer]]]:
    """Trackers by name. The library's get the frame rate, as their authors intend."""
    config = TrackerConfig()
    runs: dict[str, Callable[[Sequence], list[Answer]]] = {
        name: lambda given, name=name: answers_of(
            LibraryTracker(config, name=name, frame_rate_hz=given.frame_rate_hz), given
        )
        for name in LIBRARY_CLASSES
    }
    runs["naive IoU"] = track_by_iou
    runs[OURS_2D] = lambda given: answers_of(build_tracker(config), boxes_only(given))
    if any(m.lifted is not None or m.appearance is not None for m in sequence.measurements):
        runs[OURS_3D] = lambda given: answers_of(build_tracker(config), given)
    return runs


def compare(
    sequences: ManyOf[Sequence], *, by_parts: bool = False
) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by variant and tracker: means over the sequences, switches summed over them."""
    scores: dict[str, dict[str, list[Scores]]] = {}
    for sequence in sequences:
        for variant, all_given in variants(sequence, by_parts=by_parts).items():
            for name, run in contenders(sequence).items():
                found = [judge(given, run(given)) for given in all_given]
                scores.setdefault(variant, {}).setdefault(name, []).extend(found)
    return {
        variant: {name: _mean(found, sequences=len(sequences)) for name, found in trackers.items()}
        for variant, trackers in scores.items()
    }


def point_errors(sequences: ManyOf[Sequence]) -> dict[str, float]:
    """Median errors of confirmed tracks 0.5 to 2 m away, relative to their covariance.

    Empty if positions are unknown. A track belongs to the nearest true object. `nees` is the
    normalised estimation error squared of positions: 3 on average if the covariance is correct.
    """
    rows = [row for sequence in sequences for row in _point_errors(sequence)]
    if not rows:
        return {}
    position_m, speed_mps, nees = np.array(rows).T
    return {
        "samples": len(rows),
        "median_position_error_m": float(np.median(position_m)),
        "median_velocity_error_mps": float(np.median(speed_mps)),
        "mean_nees": float(np.mean(nees)),
        "median_nees": float(np.median(nees)),
    }


def speed_ms(objects: int, *, frames: int = 300) -> dict[str, float]:
    """Percentiles of one update with this many objects, with depth and appearance, in
    milliseconds.

    In processor time of all threads together, independent of other load.
    """
    leave_cores_to_models()  # as the service does
    tracker = build_tracker(TrackerConfig())
    times = Percentiles(size=frames)
    for measurements in _crowd(objects, frames=frames):
        start_s = process_time()
        tracker.update(measurements)
        times.add(1000 * (process_time() - start_s))
    return times.summary()


def soak(frames: int, *, reports: int = 10) -> list[dict[str, float]]:
    """Resident memory and number of tracks as objects come and go for this many frames."""
    tracker = build_tracker(TrackerConfig())
    history = []
    for k, measurements in enumerate(_crowd(5, frames=frames, replace_every=40)):
        tracks = tracker.update(measurements)
        if (k + 1) % max(frames // reports, 1) == 0:
            history.append(
                {
                    "frame": k + 1,
                    "largest_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                    "tracks": len(tracks),
                    "last_id": int(tracks.track_id.max(initial=0)),
                }
            )
    return history


def _detector_of(name: str, seed: int) -> DetectorModel:
    if name == "sidewalk":
        return drawn_public_model(seed)
    return drawn_model(seed) if name.startswith("pedestrians") else GOOD


def _point_errors(sequence: Sequence) -> Iterator[tuple[float, float, float]]:
    tracker = build_tracker(TrackerConfig())
    for measurements, truth in zip(sequence.measurements, sequence.truths, strict=True):
        tracks = tracker.update(measurements)
        seen = (tracks.state == TrackState.CONFIRMED) & np.isfinite(
            tracks.position_in_camera_m
        ).all(axis=1)
        for row in np.flatnonzero(seen):
            error = truth.position_in_camera_m - tracks.position_in_camera_m[row]
            if not len(error):
                continue
            nearest = int(np.linalg.norm(error, axis=1).argmin())
            distance_m = np.linalg.norm(truth.position_in_camera_m[nearest])
            if not 0.5 <= distance_m <= 2.0 or np.linalg.norm(error[nearest]) > 0.1:
                continue
            covariance = tracks.position_covariance_m2[row].astype(np.float64)
            slip = truth.velocity_in_camera_mps[nearest] - tracks.velocity_in_camera_mps[row]
            yield (
                float(np.linalg.norm(error[nearest])),
                float(np.linalg.norm(slip)),
                float(error[nearest] @ np.linalg.solve(covariance, error[nearest])),
            )


def _crowd(
    objects: int, *, frames: int, replace_every: int | None = None
) -> Iterator[Measurements]:
    """Drifting objects at 30 FPS; one of them in turn is replaced at a fixed interval."""
    rng = np.random.default_rng(0)
    n = objects
    centre, look = rng.uniform(0, 1000, (n, 2)), rng.normal(size=(n, 64))
    velocity = rng.normal(0, 20, (n, 2))
    for k in range(frames):
        if replace_every and k % replace_every == 0:
            gone = (k // replace_every) % n
            centre[gone], look[gone] = rng.uniform(0, 1000, 2), rng.normal(size=64)
        centre = (centre + velocity / 30) % 1000
        box = np.concatenate([centre - 25, centre + 25], axis=1) + rng.normal(0, 1, (n, 4))
        yield Measurements(
            detections=Detections(
                stamp_ns=round(k / 30 * NS_PER_S),
                box_xyxy_px=box.astype(np.float32),
                score=rng.uniform(0.6, 1.0, n).astype(np.float32),
                class_id=np.zeros(n, np.int64),
            ),
            lifted=Lifted(
                position_in_camera_m=np.concatenate(
                    [(centre - 500) / 600, np.ones((n, 1))], axis=1
                ).astype(np.float32),
                covariance_m2=np.tile(np.eye(3, dtype=np.float32) * 1e-5, (n, 1, 1)),
                size_m=np.full((n, 3), 0.08, np.float32),
            ),
            appearance=look.astype(np.float32),
        )


def _mean(scores: ManyOf[Scores], *, sequences: int) -> dict[str, float]:
    table = {
        field.name: float(np.mean([asdict(one)[field.name] for one in scores]))
        for field in fields(Scores)
    }
    table["id_switches"] *= sequences
    return table
