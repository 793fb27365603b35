"""What clients send: its kind and size are read from the header before anything is decoded."""

import struct

from robot_vision.console.problems import ConsoleError
from robot_vision.core.console_config import LimitsConfig

UNSUPPORTED = 415
UNREADABLE = 422
_SIZE_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def check_header(data: bytes, *, name: str, limits: LimitsConfig) -> tuple[int, int]:
    """Width and height of a PNG, JPEG or WebP that may be decoded; else raises `ConsoleError`."""
    size = picture_size_px(data)
    if size is None:
        raise ConsoleError(UNSUPPORTED, f"{name} is no PNG, JPEG or WebP, or its start is damaged")
    check_size(*size, name=name, limits=limits)
    return size


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


def check_is_video(data: bytes, *, name: str) -> None:
    """Raises `ConsoleError` for any other kind of file."""
    if not is_video(data):
        raise ConsoleError(UNSUPPORTED, f"{name} is no MP4, MOV or WebM")


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
