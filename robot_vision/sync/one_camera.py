"""Detects two cameras that publish on one topic: their images alternate and must not be mixed."""

from typing import TypeAlias

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.files.foreign import quoted

TWO_CAMERAS = "two cameras on one topic"
# A camera that restarted with another size or name never returns with its old ones.
_ALIVE_NS = 2 * NS_PER_S

_Camera: TypeAlias = tuple[str, int, int]


class OneCamera:
    """Keeps the camera that came first while both publish; accepts a single change."""

    def __init__(self) -> None:
        self._kept: _Camera | None = None
        self._left: _Camera | None = None
        self._kept_ns = self._left_ns = 0
        self._alternate = False

    def problem(self, frame_id: str, *, size_px: tuple[int, int], stamp_ns: int) -> str:
        """Why an image belongs to another camera and is left out; empty if it does not."""
        camera = (frame_id, *size_px)
        if camera != self._kept and self._kept is not None:
            if self._alternate and abs(stamp_ns - self._kept_ns) < _ALIVE_NS:
                return f"{_words(camera)} between those of {_words(self._kept)}: left out"
            is_back = camera == self._left and abs(stamp_ns - self._left_ns) < _ALIVE_NS
            self._alternate = is_back
            self._left, self._left_ns = self._kept, self._kept_ns
        self._kept, self._kept_ns = camera, stamp_ns
        return ""


def _words(camera: _Camera) -> str:
    frame_id, width_px, height_px = camera
    return f"{quoted(frame_id)} of {width_px}×{height_px} px"
