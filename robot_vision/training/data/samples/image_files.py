"""The image files of a set, and their sizes from their headers."""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt16

from robot_vision.codecs.bounded import check_size, read_image
from robot_vision.codecs.header import read_header
from robot_vision.core.errors import EncodingError, ForeignFileError
from robot_vision.core.files.foreign import inside, quoted
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.training.data.opening.faults import Fault, Faults

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_NOT_READ_SUFFIXES = (".avif", ".gif", ".heic", ".jp2", ".ppm", ".tga", ".tif", ".tiff")
_ENOUGH_BYTES = 2**16  # nearly all headers end before this
_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})  # orientations that exchange width and height


def below(root: Path, name: str) -> Path:
    """The file or folder that `name` means, below `root` once links and `..` are resolved.

    Raises `ForeignFileError` if it is outside the set, or not a file name.
    """
    found = root / inside(root, name).resolve().relative_to(root.resolve())
    try:
        found.exists()
    except OSError as error:  # a name that is too long
        raise ForeignFileError(f"{quoted(name)} is not a file: {error.strerror}") from error
    return found


def files_below(root: Path, folder: Path, suffixes: Iterable[str], faults: Faults) -> list[Path]:
    """Regular files with these suffixes below `folder`, sorted; hidden ones are left out.

    Links to folders are not followed, and links out of `root` are not read: both are faults.
    """
    wanted = tuple(suffixes)
    found: list[Path] = []
    if folder != root and not _is_inside(root, folder, faults):
        return found
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for link in (Path(place) / name for name in folders):
            if link.is_symlink():
                faults.add(Fault.NOT_READ, link, "a link to a folder")
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith(".") or not name.lower().endswith(wanted) or not path.is_file():
                continue
            if not path.is_symlink() or _is_inside(root, path, faults):
                found.append(path)
    return found


def images_below(root: Path, folder: Path, faults: Faults) -> list[Path]:
    """The images below `folder`, sorted; pictures of unsupported kinds are faults."""
    for file in files_below(root, folder, _NOT_READ_SUFFIXES, faults):
        faults.add(Fault.NOT_READ, file)
    return files_below(root, folder, IMAGE_SUFFIXES, faults)


def has_file(folder: Path, suffixes: Iterable[str], *, but: Iterable[str] = ()) -> bool:
    """Whether a file with one of these suffixes is below `folder`."""
    wanted, left_out = tuple(suffixes), frozenset(but)
    return any(
        name.lower().endswith(wanted) and name not in left_out
        for _, _, names in os.walk(folder)
        for name in names
    )


def sized(files: Iterable[Path], faults: Faults) -> Iterator[tuple[Path, int, int]]:
    """Each readable image, with its width and height; others are faults."""
    for file in files:
        try:
            width_px, height_px = image_file_size_px(file)
        except EncodingError as error:
            faults.add(Fault.IMAGE_UNREADABLE, file, error)
            continue
        yield file, width_px, height_px


def image_file_size_px(file: Path) -> tuple[int, int]:
    """Width and height of an image as decoded: rotated as the EXIF of a JPEG requests.

    Raises `EncodingError` if the file is not an image, or exceeds the decoder's limits.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_ENOUGH_BYTES)
            size_px = _size_px(data, is_whole=len(data) < _ENOUGH_BYTES)
            if size_px is None:
                data += stream.read(DEFAULT_LIMITS.encoded_bytes)
                size_px = _size_px(data, is_whole=True)
    except OSError as error:
        raise EncodingError(f"{file} cannot be read: {error}") from error
    assert size_px is not None
    check_size(*size_px, limits=DEFAULT_LIMITS, what=str(file))
    return size_px


def _size_px(data: bytes, *, is_whole: bool) -> tuple[int, int] | None:
    try:
        header = read_header(data)
    except EncodingError:
        if is_whole:
            raise
        return None
    if header.kind == "JPEG" and _orientation(data) in _TURNED:
        return header.height_px, header.width_px
    return header.width_px, header.height_px


def _orientation(jpeg: bytes) -> int:
    """The EXIF orientation of a JPEG, 1 if it has none."""
    start = jpeg.find(b"Exif\0\0", 0, _ENOUGH_BYTES)
    if start < 0:
        return 1
    tiff = memoryview(jpeg)[start + 6 :]
    order = "<" if tiff[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for number in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * number)
            if tag == _ORIENTATION:
                return value
    except struct.error:  # damaged: decoders then ignore the orientation
        return 1
    return 1


def _is_inside(root: Path, path: Path, faults: Faults) -> bool:
    try:
        inside(root, str(path.relative_to(root)))
    except ForeignFileError as error:
        faults.add(Fault.OUTSIDE, path, error)
        return False
    return True


def read_depth(file: Path) -> UInt16[np.ndarray, "h w"]:
    """Depth in millimetres; raises `EncodingError` unless it is a 16-bit picture."""
    depth_mm = read_image(file, cv2.IMREAD_UNCHANGED)
    if depth_mm.ndim != 2 or depth_mm.dtype != np.uint16:
        channels = 1 if depth_mm.ndim == 2 else depth_mm.shape[2]
        raise EncodingError(
            f"depth of {channels} channels of {depth_mm.dtype}; expected one of 16 bits (mm)"
        )
    return depth_mm
