"""Object masks in COCO's encodings, and class masks as label PNGs."""

import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from pycocotools import mask as rle

from robot_vision.codecs.bounded import decode_within, png_without
from robot_vision.codecs.header import PNG_MAGIC
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.training.data.labels.labelled import Annotated

# How far beyond its image a polygon or a box may go, in sizes of the image.
MOST_BEYOND = 10
# PNG's kinds of pixels.
_GRAY, _PALETTE = 0, 3
_COLORS = (b"PLTE", b"tRNS")
_HEADER = slice(12, 29)  # name and content of the first chunk


def instance_map(annotated: Annotated) -> UInt8[np.ndarray, "h w"]:
    """0 where there is no object, else 1 + the row of the annotation; later rows are on top."""
    canvas = np.zeros((annotated.height_px, annotated.width_px), np.uint8)
    for row, segmentation in enumerate(annotated.segmentation[:255]):
        if segmentation:
            canvas[decode_segmentation(segmentation, canvas.shape) > 0] = row + 1
    return canvas


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """A mask from COCO's polygons, compressed or plain run lengths; raises `ConfigError`."""
    try:
        _check_segmentation(segmentation, size)
        return _decoded(segmentation, size)
    except ConfigError:
        raise
    except Exception as error:  # pycocotools raises plain exceptions
        raise ConfigError(f"a segmentation cannot be read: {quoted(repr(error))}") from error


def read_mask(path: Path) -> UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]:
    """Class ids of a label PNG, gray or with a palette, of 1 to 16 bits per pixel.

    Raises `EncodingError` if it is not one, or its colours are not ids.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= DEFAULT_LIMITS.encoded_bytes else b""
    except OSError as error:
        raise EncodingError(f"{path} cannot be read: {error}") from error
    gray, bits = _as_gray(data, what=str(path))
    mask = decode_within(gray, cv2.IMREAD_UNCHANGED, what=str(path))
    # Decoders scale fewer bits to the full range of eight.
    return mask // (255 // (2**bits - 1)) if bits < 8 else mask


def _as_gray(png: bytes, *, what: str) -> tuple[bytes, int]:
    """The PNG with its palette rows as gray levels, and its bits per pixel.

    Decoders replace palette rows by their colours, but here the rows are the ids. Gray levels
    are packed like rows, so only the header changes.
    """
    chunk = png[_HEADER]
    if png[:8] != PNG_MAGIC or chunk[:4] != b"IHDR" or len(chunk) < 17:
        raise EncodingError(f"{what}: {len(png)} bytes that are not a PNG of class ids")
    bits, pixels = chunk[12], chunk[13]
    if pixels not in (_GRAY, _PALETTE) or bits not in (1, 2, 4, 8, 16):
        raise EncodingError(
            f"{what}: a PNG in colours; expected one of class ids, gray or with a palette"
        )
    gray = chunk[:13] + bytes([_GRAY]) + chunk[14:]
    checksum = zlib.crc32(gray).to_bytes(4, "big")
    changed = png[: _HEADER.start] + gray + checksum + png[_HEADER.stop + 4 :]
    return png_without(changed, _COLORS), bits


def _decoded(segmentation: Any, size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    height, width = size
    if isinstance(segmentation, list):
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        encoded = rle.frPyObjects(segmentation, height, width)
    else:
        encoded = segmentation
    with warnings.catch_warnings():
        # pycocotools 2.0.11 has yet to learn NumPy 2's __array__(copy=...)
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.asarray(rle.decode(encoded), np.uint8)


def _check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Raise `ConfigError` for input that makes pycocotools allocate unbounded or overflow."""
    if isinstance(segmentation, list):
        far = MOST_BEYOND * max(size)
        for polygon in segmentation:
            points = np.asarray(polygon, np.float64)
            if points.ndim != 1 or not (np.abs(points) <= far).all():
                raise ConfigError(f"a polygon is {quoted(polygon)}, its image has {size} pixels")
        return
    if list(segmentation["size"]) != list(size):
        raise ConfigError(f"a mask has {quoted(segmentation['size'])} pixels, its image {size}")
    if isinstance(segmentation["counts"], list):
        lengths = np.asarray(segmentation["counts"], np.int64)
        covered = int(lengths.sum()) if lengths.ndim == 1 and (lengths >= 0).all() else -1
        if covered != size[0] * size[1]:
            raise ConfigError(f"run lengths cover {covered} pixels of an image of {size}")
