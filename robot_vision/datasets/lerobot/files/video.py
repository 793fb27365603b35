"""Untrusted MP4 videos, read at any frame and within bounds."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import UInt8, UInt16

from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.datasets.errors import DatasetError

# A decoder passes 5 frames on average to reach any one.
FRAMES_PER_KEYFRAME = 10
# FFmpeg detects a file's kind by its content, and some kinds list other files and addresses.
_KIND = "mp4"
# The share of half a period by which a frame may be early through rounding.
_SAME = 0.02
_MOST_PIXELS = round(DEFAULT_LIMITS.image_px)
_GUARD = {"protocol_whitelist": "file", "max_pixels": str(_MOST_PIXELS)}
_CODED = ("gray12le", "yuv420p12le", "yuv422p12le", "yuv444p12le")
_FAULTS = (OSError, FFmpegError, IndexError, ValueError, OverflowError, TypeError, MemoryError)


def count_frames(path: Path) -> int:
    """Frames of a video, complete or truncated."""
    return sum(1 for _ in _packets(path))


def _packets(path: Path) -> Iterator["av.Packet"]:
    try:
        with open_video(path) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    yield packet
    except _FAULTS:  # truncated: frames before that count
        return


def open_video(path: Path) -> InputContainer:
    """Open an MP4, and no file that it names; raises what FFmpeg raises."""
    return av.open(str(path), format=_KIND, options=_GUARD)


class VideoReader:
    """Frames of a video by time; reads on sequentially, and seeks otherwise."""

    def __init__(self, path: Path, *, fps: float) -> None:
        self._path = path
        self._fps = fps
        try:
            self._container = open_video(path)
            self._stream = self._container.streams.video[0]
            self._time_base = self._stream.time_base or Fraction(1, 1000)
            width_px, height_px = self._stream.width, self._stream.height
        except _FAULTS as error:
            raise DatasetError(f"{path}: expected a video (MP4), but {error}") from error
        if width_px * height_px > _MOST_PIXELS:
            self._container.close()
            raise DatasetError(
                f"{path}: {width_px}×{height_px} px; at most {DEFAULT_LIMITS.image_mpx:g} "
                "megapixels are decoded"
            )
        # Frames may be larger than the file says.
        self._stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
        self._stream.thread_type = "NONE"  # low delay, and many readers share few cores
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._next_s = np.inf

    def frame(self, time_s: float) -> UInt8[np.ndarray, "h w 3"]:
        """The frame at `time_s`. Raises `DatasetError` if there is none."""
        return self._at(time_s).to_ndarray(format="rgb24")

    def codes(self, time_s: float) -> UInt16[np.ndarray, "h w"]:
        """The stored 12-bit brightness of the frame at `time_s`; raises `DatasetError`."""
        frame = self._at(time_s)
        if frame.format.name not in _CODED:
            raise DatasetError(
                f"{self._path} should be depth, but its pixels are {frame.format.name}: expected "
                f"12-bit codes ({', '.join(_CODED)})"
            )
        plane = cast(bytes, frame.planes[0])  # it has the buffer protocol, and no stub says so
        return np.frombuffer(plane, np.uint16).reshape(frame.height, -1)[:, : frame.width]

    def _at(self, time_s: float) -> "av.VideoFrame":
        """The nearest frame, at most half a period of `fps` away; a video may have more frames."""
        half_s = 0.5 / self._fps
        reach_s = FRAMES_PER_KEYFRAME / self._fps
        nearest: av.VideoFrame | None = None
        try:
            if not self._next_s - half_s <= time_s <= self._next_s + reach_s:
                self._seek(time_s)
            for frame in self._frames:
                off_s = float(frame.time) - time_s
                if nearest is not None and off_s > time_s - float(nearest.time):
                    self._frames = chain([frame], self._frames)
                    self._next_s = float(frame.time)
                    return nearest
                self._next_s = float(frame.time) + 1 / self._fps
                if abs(off_s) < half_s:
                    nearest = frame
                if off_s > -_SAME * half_s:
                    break
        except _FAULTS as error:
            raise DatasetError(
                f"{self._path} cannot be decoded at {time_s:.3f} s: {error} "
                f"(pictures of at most {DEFAULT_LIMITS.image_mpx:g} megapixels are)"
            ) from error
        if nearest is None:
            raise DatasetError(f"{self._path} has no frame at {time_s:.3f} s{self._extent()}")
        return nearest

    def _extent(self) -> str:
        """What the file says of its rate and length, if anything."""
        rate, ticks = self._stream.average_rate, self._stream.duration
        if not rate or not ticks:
            return ""
        end_s = float(ticks * self._time_base)
        return (
            f": it has {float(rate):.4g} frames per second and ends at {end_s:.3f} s; "
            f"info.json says {self._fps:g} fps"
        )

    def close(self) -> None:
        self._frames = iter(())
        self._container.close()

    def _seek(self, time_s: float) -> None:
        ticks = round(max(time_s, 0.0) / self._time_base)
        self._container.seek(ticks, stream=self._stream, backward=True)
        self._frames = self._container.decode(self._stream)
