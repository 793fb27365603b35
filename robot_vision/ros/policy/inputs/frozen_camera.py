"""Detects a frozen camera: new stamps, old content."""

import numpy as np

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Frame

# Noise changes every part of a real image, so comparing a part of it is enough.
_EVERY_PX = 8


class FrozenCamera:
    """Detects frames whose content, colour and depth, has not changed in a bit for `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since_ns: int | None = None
        self._rgb = np.zeros((0, 0, 3), np.uint8)
        self._depth_m = np.zeros((0, 0), np.float32)

    def problem(self, frame: Frame) -> str:
        """Why `frame` cannot be trusted; empty if it can."""
        rgb = frame.rgb[::_EVERY_PX, ::_EVERY_PX]
        depth_m = np.zeros((0, 0), np.float32)
        if frame.depth_m is not None:
            depth_m = frame.depth_m[::_EVERY_PX, ::_EVERY_PX]
        same = np.array_equal(rgb, self._rgb) and np.array_equal(
            depth_m, self._depth_m, equal_nan=True
        )
        if not same or self._since_ns is None or frame.stamp_ns < self._since_ns:
            self._since_ns, self._rgb, self._depth_m = frame.stamp_ns, rgb, depth_m
            return ""
        frozen_s = seconds_between(self._since_ns, frame.stamp_ns)
        if not self._limit_s or frozen_s <= self._limit_s:
            return ""
        return f"the camera's picture has not changed for {frozen_s:.1f} s"
