"""Clients' files: kind and size are read from the header before anything is decoded."""

from robot_vision.codecs.header import read_header
from robot_vision.console.problems import ConsoleError
from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.console_config import LimitsConfig

UNSUPPORTED = 415
UNREADABLE = 422
_PICTURES = ("PNG", "JPEG", "WebP")


def check_header(data: bytes, *, name: str, limits: LimitsConfig) -> tuple[int, int]:
    """Width and height of a valid PNG, JPEG or WebP; raises `ConsoleError` for anything else."""
    try:
        header = read_header(data)
    except EncodingError:
        header = None
    if header is None or header.kind not in _PICTURES:
        raise ConsoleError(
            UNSUPPORTED, f"{name} is not a PNG, JPEG or WebP, or its header is damaged"
        )
    check_size(header.width_px, header.height_px, name=name, limits=limits)
    return header.width_px, header.height_px


def check_size(width_px: int, height_px: int, *, name: str, limits: LimitsConfig) -> None:
    """Raises `ConsoleError` if a picture is empty or larger than `limits` allow."""
    most_px = limits.picture_px
    if not (0 < width_px <= most_px and 0 < height_px <= most_px):
        raise ConsoleError(
            413,
            f"{name} has {width_px}×{height_px} px; expected 1×1 to {most_px}×{most_px}",
        )


def is_video(data: bytes) -> bool:
    """Whether this is an ISO media file (MP4, MOV) or Matroska (WebM), by its first bytes.

    Other containers are rejected: some that FFmpeg supports can name files to open.
    """
    return data[4:8] == b"ftyp" or data[:4] == b"\x1a\x45\xdf\xa3"


def check_is_video(data: bytes, *, name: str) -> None:
    """Raises `ConsoleError` for any other kind of file."""
    if not is_video(data):
        raise ConsoleError(UNSUPPORTED, f"{name} is not an MP4, MOV or WebM")
