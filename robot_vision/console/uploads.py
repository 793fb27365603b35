"""Pictures and videos from clients: sizes are read from the header before anything is decoded."""

import struct
import subprocess
import sys
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.console.problems import ConsoleError
from robot_vision.core.console_config import LimitsConfig

UNSUPPORTED = 415
UNREADABLE = 422
_VIDEO_LIMIT_S = 30.0
_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def decode_picture(data: bytes, *, name: str, limits: LimitsConfig) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a PNG, JPEG or WebP. Raises `ConsoleError` with what is wrong with `name`."""
    size = picture_size_px(data)
    if size is None:
        raise ConsoleError(UNSUPPORTED, f"{name} is no PNG, JPEG or WebP, or its start is damaged")
    check_size(*size, name=name, limits=limits)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        bgr = None
    if bgr is None or sorted(bgr.shape[:2]) != sorted(size):
        raise ConsoleError(UNREADABLE, f"{name} is damaged: it cannot be decoded")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def check_size(width_px: int, height_px: int, *, name: str, limits: LimitsConfig) -> None:
    """Raises `ConsoleError` if a picture is empty or larger than `limits` allow."""
    most_px = limits.picture_px
    if not (0 < width_px <= most_px and 0 < height_px <= most_px):
        raise ConsoleError(
            413,
            f"{name} has {width_px}×{height_px} px; from 1×1 to {most_px}×{most_px} are taken",
        )


def picture_size_px(data: bytes) -> tuple[int, int] | None:
    """Width and height from the header of a PNG, JPEG or WebP; None if it is none of these."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
            return struct.unpack(">II", data[16:24])
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg_size_px(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size_px(data)
    except (struct.error, IndexError):
        return None
    return None


def is_video(data: bytes) -> bool:
    """Whether this is an ISO media file (MP4, MOV) or Matroska (WebM), by its first bytes.

    Other containers are not taken: some of those that FFmpeg knows name files to be opened.
    """
    return data[4:8] == b"ftyp" or data[:4] == b"\x1a\x45\xdf\xa3"


def decode_video(
    data: bytes, *, name: str, limits: LimitsConfig
) -> tuple[list[float], UInt8[np.ndarray, "n h w 3"]]:
    """Times in seconds and frames, evenly spread, of an MP4 or WebM. Raises `ConsoleError`.

    A child process with bounded memory and time decodes: codecs are large and old, and a file
    made to break them breaks the child alone.
    """
    if not is_video(data):
        raise ConsoleError(UNSUPPORTED, f"{name} is no MP4, MOV or WebM")
    arguments = [limits.picture_px, limits.video_s, limits.video_frames]
    command = [sys.executable, "-m", "robot_vision.console.video", *map(str, arguments)]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=_VIDEO_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        text = f"{name} takes more than {_VIDEO_LIMIT_S:g} s to decode"
        raise ConsoleError(UNREADABLE, text) from None
    return _frames_of(done.returncode, done.stdout, name)


def _frames_of(
    status: int, output: bytes, name: str
) -> tuple[list[float], UInt8[np.ndarray, "n h w 3"]]:
    """What the child wrote: a line of words where it refuses, else times and frames."""
    if status == 1 and output:
        raise ConsoleError(UNREADABLE, f"{name}: {output.decode(errors='replace').strip()}")
    if status != 0:
        raise ConsoleError(UNREADABLE, f"{name} is damaged: it cannot be decoded")
    count, height_px, width_px = struct.unpack_from("<III", output)
    times_s = np.frombuffer(output, "<f8", count, offset=12).tolist()
    frames = np.frombuffer(output, np.uint8, offset=12 + 8 * count)
    return times_s, frames.reshape(count, height_px, width_px, 3)


def _jpeg_size_px(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _SIZE_MARKERS:
            height_px, width_px = struct.unpack(">HH", data[at + 5 : at + 9])
            return width_px, height_px
        if marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
            continue
        if marker in (0xD9, 0xDA):  # the end, or a scan before any size
            return None
        at += 2 + max(struct.unpack(">H", data[at + 2 : at + 4])[0], 2)
    return None


def _webp_size_px(data: bytes) -> tuple[int, int] | None:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width_px, height_px = struct.unpack("<HH", body[6:10])
        return width_px & 0x3FFF, height_px & 0x3FFF
    return None


def frames_wanted(count: int, most: int) -> Sequence[int]:
    """Indices of at most `most` of `count` frames, evenly spread, the first one among them."""
    step = max(1, -(-count // most))
    return range(0, count, step)
