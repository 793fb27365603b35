"""Extracts pictures of a board from a recording, one for each time that arm or board rested."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from robot_vision.calibration.boards.sight import BoardFinder, BoardSighting
from robot_vision.calibration.stillness import Report, still_pose
from robot_vision.calibration.view_checks import is_same_pose
from robot_vision.calibration.view_folder import write_tool_pose
from robot_vision.core.errors import CalibrationError, EncodingError, ForeignFileError
from robot_vision.core.parameters.groups.calibration_config import (
    CaptureConfig,
    HandEyeConfig,
    RecordedLensConfig,
)
from robot_vision.core.quaternions import from_matrix
from robot_vision.recorded_views.pictures import RecordedPicture, pictures
from robot_vision.replay.reading.messages import Problems
from robot_vision.replay.reading.recording import Recording

# A board that is not found in this many pictures of a rest is not there.
_TRIES = 3


@dataclass
class Taken:
    """How many pictures were written, and why others were not: short reasons, counted."""

    written: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)

    def leave_out(self, kind: str, detail: str) -> None:
        self.left_out[kind] += 1
        self.example.setdefault(kind, detail)

    def words(self) -> str:
        """Readable summary of what was left out, with an example of each kind."""
        return "; ".join(
            f"{kind} ×{count} ({self.example[kind]})" for kind, count in self.left_out.items()
        )


class ViewWriter:
    """Writes pictures into an empty folder."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise CalibrationError(
                f"{folder} is not empty; expected --views with a new folder, or calibrate from "
                "the pictures in it"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._count = folder, 0

    def write(
        self, rgb: UInt8[np.ndarray, "h w 3"], pose: Float64[np.ndarray, "4 4"] | None = None
    ) -> None:
        """Write the next picture, and its tool pose if there is one."""
        name = f"{self._count:03d}.png"
        if not cv2.imwrite(str(self._folder / name), rgb[:, :, ::-1]):
            raise CalibrationError(f"cannot write {self._folder / name}")
        self._count += 1
        if pose is not None:
            place, turn = pose[:3, 3].tolist(), from_matrix(pose[:3, :3]).tolist()
            write_tool_pose(self._folder, name, [*place, *turn])


def take_at_rest(
    recording: Recording,
    topic: str,
    reports: Sequence[Report],
    *,
    finder: BoardFinder,
    writer: ViewWriter,
    capture: CaptureConfig,
    hand_eye: HandEyeConfig,
) -> Taken:
    """A picture with the board for each pose at which the tool rested. `reports` are in order.

    Raises `CalibrationError` that says why where there is none.
    """
    taken, rests, problems = Taken(), _Rests(hand_eye), Problems()
    for picture in pictures(recording, topic, problems):
        try:
            pose = still_pose(reports, picture.stamp_ns, capture)
        except CalibrationError as error:
            taken.leave_out("not at rest", str(error))
            continue
        if not rests.is_open(pose):
            continue
        rgb = _seen(picture, finder, taken)[0]
        rests.tried(pose, is_taken=rgb is not None)
        if rgb is not None:
            writer.write(rgb, pose)
            taken.written += 1
    return _checked(taken, problems, topic)


def take_steady(
    recording: Recording,
    topic: str,
    *,
    finder: BoardFinder,
    writer: ViewWriter,
    config: RecordedLensConfig,
) -> Taken:
    """Pictures in which the board is at rest, at a new place.

    Raises `CalibrationError` that says why where there is none.
    """
    taken, kept, problems = Taken(), list[BoardSighting](), Problems()
    before: BoardSighting | None = None
    for picture in pictures(recording, topic, problems, every_s=config.every_s):
        rgb, sight = _seen(picture, finder, taken)
        moved_px, before = _apart_px(before, sight), sight
        if rgb is None or sight is None:
            continue
        if moved_px > config.still_px:
            taken.leave_out("not at rest", f"the board moved by {moved_px:.1f} px before it")
        elif all(_apart_px(other, sight) > config.apart_px for other in kept):
            kept.append(sight)
            writer.write(rgb)
            taken.written += 1
        if taken.written == config.most_views:
            break
    return _checked(taken, problems, topic)


class _Rests:
    """Poses that have their picture, or in which the board was not found."""

    def __init__(self, config: HandEyeConfig) -> None:
        self._config = config
        self._rests: list[tuple[Float64[np.ndarray, "4 4"], int]] = []

    def is_open(self, pose: Float64[np.ndarray, "4 4"]) -> bool:
        return self._tries_left(pose) > 0

    def tried(self, pose: Float64[np.ndarray, "4 4"], *, is_taken: bool) -> None:
        left = 0 if is_taken else self._tries_left(pose) - 1
        self._rests = [rest for rest in self._rests if not self._is_same(rest[0], pose)]
        self._rests.append((pose, left))

    def _tries_left(self, pose: np.ndarray) -> int:
        return min(
            (left for rest, left in self._rests if self._is_same(rest, pose)), default=_TRIES
        )

    def _is_same(self, one: np.ndarray, other: np.ndarray) -> bool:
        return is_same_pose(one, other, self._config)


def _seen(
    picture: RecordedPicture, finder: BoardFinder, taken: Taken
) -> tuple[np.ndarray | None, BoardSighting | None]:
    """The picture and the board in it; neither if it cannot be read or shows no board."""
    try:
        rgb = picture.read_rgb()
    except (EncodingError, ForeignFileError) as error:
        taken.leave_out("unreadable", str(error))
        return None, None
    try:
        return rgb, finder.find(np.ascontiguousarray(rgb[:, :, ::-1]))
    except CalibrationError as error:
        taken.leave_out("without the board", str(error))
        return None, None


def _apart_px(one: BoardSighting | None, other: BoardSighting | None) -> float:
    """Median displacement of the corners that both have; infinite if they share none."""
    if one is None or other is None:
        return np.inf
    _, first, second = np.intersect1d(one.ids, other.ids, return_indices=True)
    if not len(first):
        return np.inf
    ways_px = np.linalg.norm(one.pixel_px[first] - other.pixel_px[second], axis=1)
    return float(np.median(ways_px))


def _checked(taken: Taken, problems: Problems, topic: str) -> Taken:
    """Adds the recording's problems; raises `CalibrationError` if nothing is left."""
    for kind, seen in problems.as_dict().items():
        taken.left_out[kind] += seen["count"]
        taken.example[kind] = seen["first"]
    if not taken.written:
        why = taken.words() or "no images"
        raise CalibrationError(f"no picture of {topic} can be used: {why}")
    return taken
