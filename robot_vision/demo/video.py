"""A video at the pace of the stamps: a frame is shown until the next one."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.demo.inputs import DemoError

_FPS = 30.0


class VideoFile:
    """An mp4 with the size of the first image."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self._writer: cv2.VideoWriter | None = None
        self._last_ns = 0

    def add(self, stamp_ns: int, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append an image. Raises `DemoError` if the file cannot be written."""
        if self._writer is None:
            self._writer = self._open(width_px=rgb.shape[1], height_px=rgb.shape[0])
            self._last_ns = stamp_ns - round(NS_PER_S / _FPS)
        shown_for = round(seconds_between(self._last_ns, stamp_ns) * _FPS)
        for _ in range(min(max(shown_for, 1), round(_FPS))):
            self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        self._last_ns = stamp_ns
        self.frames += 1

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()

    def _open(self, *, width_px: int, height_px: int) -> cv2.VideoWriter:
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self.path), codec, _FPS, (width_px, height_px))
        if not writer.isOpened():
            raise DemoError(f"{self.path} cannot be written as mp4")
        return writer
