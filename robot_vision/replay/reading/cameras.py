"""The calibrations of a recording's camera, as they change over it."""

from typing import Any

from robot_vision.core.cameras.camera_info import Calibration, calibration_of
from robot_vision.core.cameras.frame_check import INVALID
from robot_vision.core.errors import CameraError
from robot_vision.replay.reading.messages import Problems, stamp_to_ns


class RecordedCameras:
    """Calibrations as they change over a recording."""

    def __init__(self) -> None:
        self._known: list[tuple[int, Calibration | None]] = []

    def add(self, info: Any, problems: Problems) -> None:
        """Add a calibration; after an unreadable one the camera is unknown."""
        calibration = None
        try:
            calibration = calibration_of(info)
        except CameraError as error:
            problems.add(INVALID, f"camera_info has {error}")
        if not self._known or not _same(calibration, self._known[-1][1]):
            self._known = [*self._known[-7:], (stamp_to_ns(info.header.stamp), calibration)]

    def at(self, stamp_ns: int) -> Calibration | None:
        """The newest not after `stamp_ns`, else the first one."""
        if not self._known:
            return None
        before = [known for known_ns, known in self._known if known_ns <= stamp_ns]
        return before[-1] if before else self._known[0][1]


def _same(one: Calibration | None, other: Calibration | None) -> bool:
    return one is other if one is None or other is None else one.same_as(other)
