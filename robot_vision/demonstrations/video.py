"""Colour as VP9 in MP4: written so that a crash costs nothing, read at any frame.

While an episode grows, its video is fragmented: every frame is complete on disk when the next
begins. `remux` then copies the packets into a plain MP4, which every reader takes.
Encoder: libvpx (BSD), on the calling thread alone, without delay. SVT-AV1, which LeRobot writes,
hands a frame from thread to thread; version 4.1 without delay now and then waits for ever beside
other work, and nothing can end it.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import UInt8

from robot_vision.core.limits_config import DEFAULT_LIMITS
from robot_vision.demonstrations.schema import DatasetError

_ENCODER = "libvpx-vp9"
# A decoder goes through 5 frames on average to reach any one.
FRAMES_PER_KEYFRAME = 10
_OPTIONS = {
    "crf": "28",
    "b": "0",  # the quality decides, not a bit rate
    "g": str(FRAMES_PER_KEYFRAME),
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
}
# FFmpeg looks into a file for its kind, and some kinds are lists of other files and addresses.
_KIND = "mp4"
_MOST_PIXELS = round(DEFAULT_LIMITS.image_px)
_GUARD = {"protocol_whitelist": "file", "max_pixels": str(_MOST_PIXELS)}
_FAULTS = (OSError, FFmpegError, IndexError, ValueError, OverflowError, TypeError, MemoryError)
_GROWING = {
    "movflags": "frag_every_frame+empty_moov+default_base_moof",
    "flush_packets": "1",
}


class VideoWriter:
    """A growing video; frame k is shown at k / fps."""

    def __init__(self, path: Path, *, fps: int, width_px: int, height_px: int) -> None:
        if width_px % 2 or height_px % 2:
            raise DatasetError(
                f"images of {width_px}×{height_px} px: expected even sizes, as video has them"
            )
        self._size = (height_px, width_px)
        self._container = av.open(str(path), "w", format="mp4", options=_GROWING)
        self._stream = self._container.add_stream(_ENCODER, rate=fps, options=_OPTIONS)
        self._stream.width, self._stream.height = width_px, height_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = Fraction(1, fps)
        self._stream.codec_context.thread_count = 1
        self._count = 0

    def add(self, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append a frame; raises `DatasetError` if it has another size than the video."""
        if rgb.shape[:2] != self._size:
            raise DatasetError(
                f"an image has {rgb.shape[1]}×{rgb.shape[0]} px, "
                f"the episode {self._size[1]}×{self._size[0]}"
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.pts = self._count
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        if self._count:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def count_frames(path: Path) -> int:
    """Frames of a video, whole or cut off."""
    return sum(1 for _ in _packets(path))


def remux(source: Path, target: Path, *, frames: int, fps: int) -> None:
    """Copy the first `frames` of a growing video into a plain MP4.

    A growing video does not say how long its frames are shown, and a plain one would show its
    last for no time.
    """
    with (
        _opened(source) as grown,
        av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as plain,
    ):
        stream = grown.streams.video[0]
        copied = plain.add_stream_from_template(stream, opaque=True)
        for number, packet in enumerate(grown.demux(stream)):
            if packet.size == 0 or number == frames:
                break
            packet.stream = copied
            packet.duration = round(1 / (fps * packet.time_base))
            plain.mux(packet)


def _packets(path: Path) -> Iterator["av.Packet"]:
    try:
        with _opened(path) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    yield packet
    except _FAULTS:  # cut off: what came before counts
        return


def _opened(path: Path) -> InputContainer:
    return av.open(str(path), format=_KIND, options=_GUARD)


class VideoReader:
    """Frames of a video by time; reads on where it is, and seeks for anything else."""

    def __init__(self, path: Path, *, fps: float) -> None:
        self._path = path
        self._fps = fps
        try:
            self._container = _opened(path)
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
        """The frame shown at `time_s`. Raises `DatasetError` if there is none."""
        half_s = 0.5 / self._fps
        reach_s = FRAMES_PER_KEYFRAME / self._fps
        try:
            if not self._next_s - half_s <= time_s <= self._next_s + reach_s:
                self._seek(time_s)
            for frame in self._frames:
                self._next_s = float(frame.time) + 1 / self._fps
                if abs(float(frame.time) - time_s) < half_s:
                    return frame.to_ndarray(format="rgb24")
                if frame.time > time_s:
                    break
        except _FAULTS as error:
            raise DatasetError(
                f"{self._path} cannot be decoded at {time_s:.3f} s: {error} "
                f"(pictures of at most {DEFAULT_LIMITS.image_mpx:g} megapixels are)"
            ) from error
        raise DatasetError(f"{self._path} has no frame at {time_s:.3f} s")

    def close(self) -> None:
        self._frames = iter(())
        self._container.close()

    def _seek(self, time_s: float) -> None:
        ticks = round(max(time_s, 0.0) / self._time_base)
        self._container.seek(ticks, stream=self._stream, backward=True)
        self._frames = self._container.decode(self._stream)
