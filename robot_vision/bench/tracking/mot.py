"""Reads MOTChallenge folders, and evaluates trackers by trackeval's HOTA, CLEAR and Identity."""

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from robot_vision.bench.tracking.tracker_sequences import Sequence, Truth
from robot_vision.codecs.header import encoded_size_px
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import read_text
from robot_vision.core.types import Detections, Measurements

DEFAULT_FRAME_RATE_HZ = 25.0
PEDESTRIAN = 1
MOST_FRAMES = 1_000_000
_COLUMNS_WITH_CLASS = (8, 9)
_HEADER_BYTES = 2**18


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """A tracker's output for one frame."""

    track_id: Int64[np.ndarray, " n"]
    box_xyxy_px: Float[np.ndarray, "n 4"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """HOTA, MOTA and IDF1 in percent, and the number of identity switches."""

    hota: float
    deta: float
    assa: float
    mota: float
    idf1: float
    id_switches: int


def read_mot_sequence(folder: Path, *, image_size_px: tuple[int, int] | None = None) -> Sequence:
    """Read `det/det.txt`, `gt/gt.txt` and, for rate and image size, `seqinfo.ini` if there.

    The image size (width, height) is the one given, else that of `seqinfo.ini`, else that of the
    first picture in `img1/`, else unknown: boxes then count as complete beyond the border. Scores
    outside 0 … 1 are rescaled to 0 … 1 between their 1st and 99th percentile. Raises `ConfigError`
    if a file is missing or not in the MOTChallenge format.
    """
    folder = Path(folder)
    info = _sequence_info(folder)
    size_px = image_size_px or _said_size_px(info) or _picture_size_px(folder / "img1")
    rate_hz = info.getfloat("Sequence", "frameRate", fallback=DEFAULT_FRAME_RATE_HZ)
    found = _read_rows(folder / "det" / "det.txt", columns=7)
    true = _pedestrians(folder / "gt" / "gt.txt")
    score = _unit_scores(found[:, 6])
    image_size_px = _cut_at(size_px, _xyxy(found))
    notes = [_about_size(size_px, used=image_size_px is not None)]
    if not _are_unit(found[:, 6]):
        notes.append("confidences are not within 0 to 1: rescaled by their percentiles")
    last = int(max(found[:, 0].max(initial=0), true[:, 0].max(initial=0)))
    measurements, truths = [], []
    for frame in range(1, last + 1):
        rows = np.flatnonzero(found[:, 0] == frame)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        stamp_ns = round(frame / rate_hz * NS_PER_S)
        measurements.append(
            Measurements(
                detections=Detections(
                    stamp_ns=stamp_ns,
                    box_xyxy_px=_xyxy(found[rows]).astype(np.float32),
                    score=score[rows].astype(np.float32),
                    class_id=np.zeros(len(rows), np.int64),
                ),
                image_size_px=image_size_px,
            )
        )
        now = true[true[:, 0] == frame]
        unknown = np.full((len(now), 3), np.nan)
        truths.append(
            Truth(
                object_id=now[:, 1].astype(np.int64),
                box_xyxy_px=_xyxy(now),
                position_in_camera_m=unknown,
                velocity_in_camera_mps=unknown,
            )
        )
    return Sequence(
        name=folder.name,
        notes=tuple(notes),
        frame_rate_hz=rate_hz,
        measurements=tuple(measurements),
        truths=tuple(truths),
    )


def _about_size(size_px: tuple[int, int] | None, *, used: bool) -> str:
    if size_px is None:
        return "image size unknown: boxes count as complete (--image-size, seqinfo.ini, img1)"
    words = f"images of {size_px[0]}×{size_px[1]} px"
    return words if used else f"{words}, which detections exceed: boxes count as complete"


def judge(sequence: Sequence, answers: list[Answer]) -> Scores:
    """Compare the outputs, one per frame, with the ground truth."""
    from trackeval.metrics import CLEAR, HOTA, Identity

    data = _trackeval_data(sequence, answers)
    quiet = {"PRINT_CONFIG": False}
    hota = HOTA().eval_sequence(data)
    clear = CLEAR(quiet).eval_sequence(data)
    identity = Identity(quiet).eval_sequence(data)
    return Scores(
        hota=100 * float(np.mean(hota["HOTA"])),
        deta=100 * float(np.mean(hota["DetA"])),
        assa=100 * float(np.mean(hota["AssA"])),
        mota=100 * float(clear["MOTA"]),
        idf1=100 * float(identity["IDF1"]),
        id_switches=int(clear["IDSW"]),
    )


def _trackeval_data(sequence: Sequence, answers: list[Answer]) -> dict[str, Any]:
    truths = sequence.truths
    object_ids, object_rows = _numbered([truth.object_id for truth in truths])
    track_ids, track_rows = _numbered([answer.track_id for answer in answers])
    return {
        "num_timesteps": len(truths),
        "num_gt_ids": object_ids,
        "num_tracker_ids": track_ids,
        "num_gt_dets": sum(len(rows) for rows in object_rows),
        "num_tracker_dets": sum(len(rows) for rows in track_rows),
        "gt_ids": object_rows,
        "tracker_ids": track_rows,
        "similarity_scores": [
            pairwise_iou(truth.box_xyxy_px, answer.box_xyxy_px)
            for truth, answer in zip(truths, answers, strict=True)
        ],
    }


def _numbered(ids: list[np.ndarray]) -> tuple[int, list[np.ndarray]]:
    """How many different ids there are, and each frame's ids as numbers from 0."""
    known = np.unique(np.concatenate(ids)) if ids else np.zeros(0, np.int64)
    return len(known), [np.searchsorted(known, frame) for frame in ids]


def _sequence_info(folder: Path) -> configparser.ConfigParser:
    info = configparser.ConfigParser()
    info.read_dict({"Sequence": {}})
    file = folder / "seqinfo.ini"
    try:
        info.read_string(read_text(file) if file.exists() else "")
        float(info.get("Sequence", "frameRate", fallback=DEFAULT_FRAME_RATE_HZ))
    except (configparser.Error, ForeignFileError, ValueError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    return info


def _said_size_px(info: configparser.ConfigParser) -> tuple[int, int] | None:
    width_px, height_px = (
        info.getint("Sequence", key, fallback=0) for key in ("imWidth", "imHeight")
    )
    return (width_px, height_px) if width_px and height_px else None


def _picture_size_px(folder: Path) -> tuple[int, int] | None:
    """Of the first picture of a sequence, by its header."""
    first = min(folder.glob("*.*"), default=None) if folder.is_dir() else None
    if first is None:
        return None
    with first.open("rb") as file:
        size_px = encoded_size_px(file.read(_HEADER_BYTES))
    return size_px if all(size_px) else None


def _cut_at(
    size_px: tuple[int, int] | None, boxes_xyxy: Float[np.ndarray, "n 4"]
) -> tuple[int, int] | None:
    """The image's size, at which boxes are cut off; None if boxes extend beyond the border."""
    if size_px is None:
        return None
    limit_px = np.array(size_px)
    slack_px = np.maximum(1.0, 0.01 * limit_px)
    beyond = (boxes_xyxy[:, :2] < -slack_px) | (boxes_xyxy[:, 2:] > limit_px + slack_px)
    return None if beyond.any() else size_px


def _read_rows(path: Path, *, columns: int) -> np.ndarray:
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except (OSError, ValueError, MemoryError) as error:
        raise ConfigError(f"cannot read {path} as MOTChallenge rows: {error}") from error
    if rows.shape[1] < columns:
        raise ConfigError(
            f"{path}: {rows.shape[1]} columns; expected at least {columns} "
            "(frame, id, left, top, width, height, score, …)"
        )
    if not np.isfinite(rows).all() or not (np.abs(rows[:, :2]) <= MOST_FRAMES).all():
        raise ConfigError(f"{path}: expected finite numbers, frames and ids to {MOST_FRAMES}")
    return rows


def _pedestrians(path: Path) -> Float[np.ndarray, "n c"]:
    """Rows of the ground truth that count: not flagged to be ignored and, with classes,
    pedestrians.

    MOT16 and later have 9 columns: class and visibility come last. MOT15 has 10, of which the
    last three are a place in the world; -1 where that is unknown.
    """
    rows = _read_rows(path, columns=6)
    counted = rows[rows[:, 6] != 0] if rows.shape[1] > 6 else rows
    if rows.shape[1] in _COLUMNS_WITH_CLASS and (counted[:, 7] > 0).any():
        classes = sorted(set(counted[:, 7].astype(int).tolist()))
        counted = counted[counted[:, 7] == PEDESTRIAN]
        if not len(counted):
            raise ConfigError(
                f"{path}: no row has class {PEDESTRIAN} (pedestrian) in column 8; it has "
                f"{', '.join(map(str, classes))}. Other classes are not evaluated: use class "
                f"{PEDESTRIAN} for objects to evaluate"
            )
    if not len(counted):
        raise ConfigError(f"{path}: no row counts; expected some with column 7 other than 0")
    return counted


def _are_unit(score: np.ndarray) -> bool:
    return not len(score) or bool(score.min() >= 0 and score.max() <= 1)


def _unit_scores(score: np.ndarray) -> np.ndarray:
    if _are_unit(score):
        return score
    low, high = np.percentile(score, [1, 99])
    return np.clip((score - low) / max(high - low, 1e-9), 0, 1)


def _xyxy(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1)
