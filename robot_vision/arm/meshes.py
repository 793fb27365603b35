"""Reads the triangles of a mesh named by a URDF, if its file can be found: STL and OBJ.

ROS packages are found as in ROS, at `share/PACKAGE` below each entry of AMENT_PREFIX_PATH. The
description comes from the network: no more of a file is read than `_MOST_BYTES`.
"""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
from jaxtyping import Float64

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import inside, quoted

Triangles = Float64[np.ndarray, "t 3 3"]
MeshReader = Callable[[str], Triangles]

_MOST_BYTES = 50_000_000
_MOST_CORNER = 1e6
_STL_HEAD_BYTES = 84
_STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def read_mesh(uri: str) -> Triangles:
    """The corners of each triangle of the mesh at `uri` (package://, file:// or a path), in the
    file's unit.

    Raises `ValueError` with the reason if there are none.
    """
    path = _find(uri)
    readers = {".stl": _stl, ".obj": _obj}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{quoted(uri)} is none of {', '.join(readers)}")
    try:
        if not path.is_file():
            raise ValueError(f"{quoted(uri)} is not a file here: {path}")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{quoted(uri)} has more than {_MOST_BYTES} bytes")
        return reader(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{quoted(uri)} cannot be read: {error}") from error


def _find(uri: str) -> Path:
    address = urlparse(uri)
    name = unquote(address.path).lstrip("/")
    if address.scheme in ("", "file"):
        return Path("/", name)
    if address.scheme != "package":
        raise ValueError(f"{quoted(uri)} is not a package:// or file:// address, nor a path")
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    for prefix in prefixes:
        share = Path(prefix, "share")
        try:
            found = inside(share, f"{address.netloc}/{name}")
        except ForeignFileError:
            continue
        if found.is_file():
            return found
    raise ValueError(f"{quoted(uri)} is in no package of AMENT_PREFIX_PATH")


def _stl(data: bytes) -> Triangles:
    if len(data) >= _STL_HEAD_BYTES:
        count = int.from_bytes(data[80:84], "little")
        if len(data) == _STL_HEAD_BYTES + count * _STL_TRIANGLE.itemsize:
            triangles = np.frombuffer(data, _STL_TRIANGLE, offset=_STL_HEAD_BYTES)
            return _checked(triangles["corners"].astype(np.float64))
    words = _words(data)
    corners = [_point(line) for line in words if line[0] == "vertex"]
    if len(corners) % 3:
        raise ValueError(f"{len(corners)} lines of 'vertex'; expected three for each triangle")
    return _checked(np.array(corners, np.float64).reshape(-1, 3, 3))


def _obj(data: bytes) -> Triangles:
    """A face with more corners becomes a fan of triangles; textures and normals are not read."""
    corners: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    for line in _words(data):
        if line[0] == "v":
            corners.append(_point(line))
        elif line[0] == "f":
            face = [_corner(word, len(corners)) for word in line[1:]]
            triangles += [(face[0], *pair) for pair in pairwise(face[1:])]
    rows = np.array(triangles, np.intp).reshape(-1, 3)
    return _checked(np.array(corners, np.float64).reshape(-1, 3)[rows])


def _corner(word: str, count: int) -> int:
    """The corner that a word of a face names: counted from 1, or from the end if below 0."""
    number = int(word.partition("/")[0])
    row = number - 1 if number > 0 else count + number
    if not 0 <= row < count:
        raise ValueError(f"a face has the corner {number} of {count}: a damaged mesh")
    return row


def _words(data: bytes) -> list[list[str]]:
    """The words of each non-empty line."""
    return [words for line in data.decode("utf-8").splitlines() if (words := line.split())]


def _point(words: list[str]) -> list[float]:
    point = [float(word) for word in words[1:4]]
    if len(point) != 3:
        raise ValueError(f"{quoted(' '.join(words))}; expected three numbers: a damaged mesh")
    return point


def _checked(triangles: Triangles) -> Triangles:
    if not len(triangles):
        raise ValueError("no triangles: no mesh, or a damaged one")
    if not (np.abs(triangles) < _MOST_CORNER).all():
        raise ValueError(f"corners that are not finite or beyond {_MOST_CORNER:g}: damaged")
    return triangles
