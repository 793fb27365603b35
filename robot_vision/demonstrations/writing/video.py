"""Colour as VP9 in MP4, written so that a crash loses nothing.

While an episode is recorded, its video is fragmented: every frame is complete on disk when the
next begins. `remux` then copies the packets into a plain MP4, which every reader accepts. Encoder:
libvpx (BSD), on the calling thread only, without delay. SVT-AV1, which LeRobot writes, passes a
frame from thread to thread; version 4.1 without delay sometimes waits forever under other load,
and nothing can stop it.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.files.video import FRAMES_PER_KEYFRAME, open_video

_ENCODER = "libvpx-vp9"
_OPTIONS = {
    "crf": "28",
    "b": "0",  # constant quality, not a bit rate
    "g": str(FRAMES_PER_KEYFRAME),
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
}
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
        """Flush the encoder."""
        if self._count:
            self._container.mux(self._stream.encode(None))
        self._container.close()


def remux(source: Path, target: Path, *, frames: int, fps: int) -> None:
    """Copy the first `frames` of a growing video into a plain MP4.

    A growing video does not store its frames' durations, so a plain copy would show its
    last frame for no time.
    """
    with (
        open_video(source) as grown,
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
