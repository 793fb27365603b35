"""The cost of decoding an image, read from its header: nothing is decoded.

JPEG, PNG, WebP and BMP: the formats of cameras and datasets. OpenCV knows more, some of which
can refer to other files or cost far more than their pixels; they are refused.
"""

import struct
from dataclasses import dataclass
from typing import Any

from robot_vision.core.errors import EncodingError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
KINDS = ("JPEG", "PNG", "WebP", "BMP")
# The first atoms of MP4 and MOV files, including old ones.
_ISO_MEDIA = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_WEBP_ANIMATED = 0x02


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """`scans`: how many times a decoder passes over all pixels (progressive JPEG: once a scan)."""

    kind: str
    width_px: int
    height_px: int
    scans: int = 1


def image_size_px(data: bytes) -> tuple[int, int]:
    """Width and height of an encoded image; raises `EncodingError` as `read_header` does."""
    header = read_header(data)
    return header.width_px, header.height_px


def encoded_size_px(data: Any) -> tuple[int, int]:
    """Width and height of an encoded image in any buffer of bytes; zeros where it is damaged."""
    try:
        return image_size_px(bytes(memoryview(data).cast("B")))
    except EncodingError:
        return 0, 0


def is_video(data: bytes) -> bool:
    """Whether a file that begins with these bytes is MP4 or MOV, Matroska (WebM) or AVI.

    FFmpeg recognises other containers by their content, some of which name files and addresses
    that it then opens.
    """
    is_avi = data[:4] == b"RIFF" and data[8:12] == b"AVI "
    return is_avi or data[4:8] in _ISO_MEDIA or data[:4] == b"\x1a\x45\xdf\xa3"


def read_header(data: bytes) -> ImageHeader:
    """Raises `EncodingError` if `data` is none of `KINDS`, or its header is damaged."""
    try:
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:8] == PNG_MAGIC and data[12:16] == b"IHDR":
            width_px, height_px = struct.unpack_from(">II", data, 16)
            return ImageHeader(kind="PNG", width_px=width_px, height_px=height_px)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:2] == b"BM":
            return _bmp(data)
    except (struct.error, IndexError):
        raise EncodingError(f"an image of {len(data)} bytes has a damaged header") from None
    raise EncodingError(
        f"{len(data)} bytes that begin with {bytes(data[:8]).hex(' ')}: "
        f"expected one of {', '.join(KINDS)}"
    )


def _jpeg(data: bytes) -> ImageHeader:
    """The first frame header, found as libjpeg finds it: bytes between segments are skipped."""
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise EncodingError("a JPEG that does not give its size")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0 or marker in _JPEG_WITHOUT_LENGTH:
            continue
        if marker in (_JPEG_END, _JPEG_SCAN):
            raise EncodingError("a JPEG that does not give its size before its pixels")
        if marker in _JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", data, at + 3)
            # Entropy-coded bytes never hold a marker, so this counts every scan (and those of a
            # thumbnail within the header, which weigh nothing).
            scans = data.count(bytes([0xFF, _JPEG_SCAN]))
            return ImageHeader(kind="JPEG", width_px=width_px, height_px=height_px, scans=scans)
        at += max(struct.unpack_from(">H", data, at)[0], 2)


def _webp(data: bytes) -> ImageHeader:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        if body[0] & _WEBP_ANIMATED:
            raise EncodingError("an animated WebP; expected a single picture")
        width_px = 1 + int.from_bytes(body[4:7], "little")
        height_px = 1 + int.from_bytes(body[7:10], "little")
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width_px, height_px = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width_px, height_px = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    else:
        raise EncodingError(f"a WebP that begins with {kind!r}: its header is damaged")
    return ImageHeader(kind="WebP", width_px=width_px, height_px=height_px)


def _bmp(data: bytes) -> ImageHeader:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    layout = "<HH" if header_bytes == 12 else "<ii"  # OS/2 1.x has short sides
    width_px, height_px = struct.unpack_from(layout, data, 18)
    return ImageHeader(kind="BMP", width_px=width_px, height_px=abs(height_px))
